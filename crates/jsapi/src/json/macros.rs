//! One declaration per wire type: fields with their names and whether empty ones are left out give writer and reader.

/// Declares a struct with its JSON fields in the order of the wire: `name: Type => "json", keep|omit;`, optionally with
/// the Go type's name for errors: `name: Type as "int" => …`.
macro_rules! go_struct {
    (
        $(#[$meta:meta])*
        pub struct $name:ident : $go:literal {
            $( $(#[$fmeta:meta])* $field:ident : $ty:ty $(as $fgo:literal)? => $json:literal, $rule:ident; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name {
            $( $(#[$fmeta])* pub $field: $ty, )*
        }

        impl $crate::json::GoFields for $name {
            fn encode_fields(&self, object: &mut $crate::json::write::ObjectWriter<'_>) {
                $( object.$rule($json, &self.$field); )*
                let _ = object;
            }

            fn decode_field(
                &mut self,
                name: &str,
                json: &$crate::json::Json<'_>,
                cx: &mut $crate::json::Decoding,
            ) -> bool {
                $(
                    if $crate::json::is_name(name, $json) {
                        let go_type = go_struct!(@go $ty $(, $fgo)?);
                        $crate::json::write::decode_named(&mut self.$field, name, json, cx, go_type);
                        return true;
                    }
                )*
                let _ = (name, json, cx);
                false
            }
        }

        impl $crate::json::GoJson for $name {
            const GO_TYPE: &'static str = $go;

            fn is_empty(&self) -> bool {
                false
            }

            fn encode(&self, out: &mut Vec<u8>) {
                let mut object = $crate::json::write::ObjectWriter::new(out);
                $crate::json::GoFields::encode_fields(self, &mut object);
                object.end();
            }

            fn decode(&mut self, json: &$crate::json::Json<'_>, cx: &mut $crate::json::Decoding) {
                $crate::json::decode_object(self, json, cx, Self::GO_TYPE);
            }
        }
    };
    (@go $ty:ty) => { <$ty as $crate::json::GoJson>::GO_TYPE };
    (@go $ty:ty, $go:literal) => { $go };
}

/// Declares an enum that is a string on the wire; the first variant is the default, and may have a second text. `$refuse`
/// makes the peer's error for other values, also for `null`.
macro_rules! go_enum {
    (
        $(#[$meta:meta])*
        pub enum $name:ident : $go:literal, refuse $refuse:expr, {
            $(#[$first_meta:meta])* $first:ident => $first_text:literal $(| $alias:literal)?,
            $( $(#[$vmeta:meta])* $variant:ident => $text:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum $name {
            $(#[$first_meta])*
            #[default]
            $first,
            $( $(#[$vmeta])* $variant, )*
        }

        impl $name {
            /// Its text on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::$first => $first_text,
                    $( Self::$variant => $text, )*
                }
            }
        }

        impl $crate::json::GoJson for $name {
            const GO_TYPE: &'static str = $go;

            fn is_empty(&self) -> bool {
                *self == Self::default()
            }

            fn encode(&self, out: &mut Vec<u8>) {
                $crate::json::write::text(out, self.as_str());
            }

            fn decode(&mut self, json: &$crate::json::Json<'_>, cx: &mut $crate::json::Decoding) {
                match json {
                    $crate::json::Json::Text { value, .. } if value == $first_text $(|| value == $alias)? => {
                        *self = Self::$first;
                    }
                    $( $crate::json::Json::Text { value, .. } if value == $text => *self = Self::$variant, )*
                    other => {
                        let refuse: fn(&$crate::json::Json<'_>) -> String = $refuse;
                        cx.custom(refuse(other));
                    }
                }
            }
        }
    };
}

pub(crate) use {go_enum, go_struct};
