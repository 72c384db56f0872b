//! Templates: what may be one, and the stream it makes of a subject. The calls are those the servers before 2.11 had.

use natterjack_jsapi::request::Template;
use natterjack_jsapi::stream::StreamConfig;
use natterjack_jsapi::{ApiError, errors};

use super::config::{Context, check};

/// Stands for the name of the streams to be while a template is checked.
const NAMELESS: &str = "_";
/// Longest name of a template, bytes.
const NAME_BYTES_MAX: usize = 255;

/// Checks the request to make template `name` and returns it with defaults filled in; `exists`: whether there is one of
/// this name.
///
/// # Errors
/// The first refusal, in the words of the servers that had templates.
pub fn check_template(
    name: &str,
    wanted: &Template,
    exists: bool,
    context: &Context<'_>,
) -> Result<Template, ApiError> {
    if wanted.name != name {
        return Err(errors::TEMPLATE_NAME_NOT_MATCH_SUBJECT);
    }
    let refused = errors::stream_template_create;
    let Some(config) = &wanted.config else {
        return Err(refused("template config required"));
    };
    if !config.name.is_empty() {
        return Err(refused("template config name should be empty"));
    }
    if name.len() > NAME_BYTES_MAX {
        let text = format_args!("template name is too long, maximum allowed is {NAME_BYTES_MAX}");
        return Err(refused(text.to_string().as_str()));
    }
    let named = StreamConfig {
        name: NAMELESS.to_owned(),
        ..config.clone()
    };
    let checked = check(&named, context)?;
    if exists {
        let text = format!("template with name {name:?} already exists");
        return Err(refused(text.as_str()));
    }
    Ok(Template {
        config: Some(StreamConfig {
            name: String::new(),
            ..checked
        }),
        ..wanted.clone()
    })
}

/// What the stream of `subject` is called.
#[must_use]
pub fn stream_name(subject: &str) -> String {
    subject.replace('.', "_")
}

/// The stream that `template` makes for `subject`, to be checked like any other.
#[must_use]
pub fn stream_of(template: &Template, subject: &str) -> StreamConfig {
    StreamConfig {
        name: stream_name(subject),
        subjects: vec![subject.to_owned()],
        ..template.config.clone().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;
    use crate::stream::Alone;

    fn checked(name: &str, config: Option<StreamConfig>, exists: bool) -> Result<Template, String> {
        let environment = Environment::new("$G");
        let context = Context {
            environment: &environment,
            streams: &Alone,
            pedantic: false,
        };
        let wanted = Template {
            name: "t".into(),
            config,
            max_streams: 2,
        };
        check_template(name, &wanted, exists, &context)
            .map_err(|e| format!("{} {}", e.err_code, e.description))
    }

    fn subjects() -> Option<StreamConfig> {
        Some(StreamConfig {
            subjects: vec!["orders.*".into()],
            ..StreamConfig::default()
        })
    }

    #[test]
    fn a_template_makes_streams_named_after_their_subjects() {
        let template = checked("t", subjects(), false).unwrap();
        let stream = stream_of(&template, "orders.eu");
        assert_eq!(stream.name, "orders_eu");
        assert_eq!(stream.subjects, ["orders.eu"]);
        // Defaults are filled in as for a stream.
        assert_eq!(stream.max_msgs, -1);
    }

    #[test]
    fn what_is_no_template_is_refused() {
        let named = subjects().map(|config| StreamConfig {
            name: "N".into(),
            ..config
        });
        let wide = subjects().map(|config| StreamConfig {
            subjects: vec!["a..b".into()],
            ..config
        });
        for (name, config, exists, refusal) in [
            (
                "u",
                subjects(),
                false,
                "10073 template name in subject does not match request",
            ),
            ("t", None, false, "10066 template config required"),
            ("t", named, false, "10066 template config name should be empty"),
            ("t", wide, false, "10052 invalid subject"),
            (
                "t",
                subjects(),
                true,
                "10066 template with name \"t\" already exists",
            ),
        ] {
            assert_eq!(checked(name, config, exists).unwrap_err(), refusal);
        }
    }
}
