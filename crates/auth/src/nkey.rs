//! Public keys that name servers and users, and what they have signed. Wraps the `nkeys` crate; entropy is an argument.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use nkeys::{KeyPair, KeyPairType, XKey};

/// The public key `N…` of a server, from 32 random bytes.
///
/// # Errors
/// When the library refuses the entropy.
pub fn server_id(entropy: [u8; 32]) -> Result<String, nkeys::error::Error> {
    Ok(KeyPair::new_from_raw(KeyPairType::Server, entropy)?.public_key())
}

/// The public curve key `X…` of a server, from 32 random bytes.
#[must_use]
pub fn server_xkey(entropy: [u8; 32]) -> String {
    XKey::new_from_raw(entropy).public_key()
}

/// What a client is given to sign, from 11 random bytes: 15 characters.
#[must_use]
pub fn nonce(entropy: [u8; 11]) -> String {
    BASE64URL_NOPAD.encode(&entropy)
}

/// Whether `key` is the public key of a user.
#[must_use]
pub fn is_user(key: &str) -> bool {
    KeyPair::from_public_key(key).is_ok_and(|pair| pair.key_pair_type() == KeyPairType::User)
}

/// Whether `signature`, in either alphabet of base64, is what the owner of `key` makes of `nonce`.
#[must_use]
pub fn has_signed(key: &str, nonce: &str, signature: &str) -> bool {
    let signature = BASE64URL_NOPAD
        .decode(signature.as_bytes())
        .or_else(|_| BASE64.decode(signature.as_bytes()));
    let (Ok(signature), Ok(pair)) = (signature, KeyPair::from_public_key(key)) else {
        return false;
    };
    pair.verify(nonce.as_bytes(), &signature).is_ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn users_have_keys_of_their_own_kind() {
        let key = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
        assert!(super::is_user(key) && !super::is_user(&key[..55]) && !super::is_user(""));
        assert!(!super::is_user(&super::server_id([7; 32]).unwrap()));
        assert_eq!(super::nonce([255; 11]).len(), 15);
    }

    #[test]
    fn ids_have_the_form_of_keys() {
        let id = super::server_id([7; 32]).unwrap();
        assert!(id.starts_with('N') && id.len() == 56, "{id}");
        let key = super::server_xkey([7; 32]);
        assert!(key.starts_with('X') && key.len() == 56, "{key}");
    }
}
