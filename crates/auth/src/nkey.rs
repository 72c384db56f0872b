//! Public keys that name servers. Wraps the `nkeys` crate; entropy is an argument.

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

#[cfg(test)]
mod tests {
    #[test]
    fn ids_have_the_form_of_keys() {
        let id = super::server_id([7; 32]).unwrap();
        assert!(id.starts_with('N') && id.len() == 56, "{id}");
        let key = super::server_xkey([7; 32]);
        assert!(key.starts_with('X') && key.len() == 56, "{key}");
    }
}
