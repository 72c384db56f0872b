//! Comparing what a client presents with what is configured, in constant time; bcrypt hashes are recognised by prefix.

/// Prefixes of bcrypt hashes.
const BCRYPT: [&str; 4] = ["$2a$", "$2b$", "$2x$", "$2y$"];

/// Whether a configured secret is a bcrypt hash.
#[must_use]
pub fn is_bcrypt(configured: &str) -> bool {
    BCRYPT.iter().any(|prefix| configured.starts_with(prefix))
}

/// Whether `presented` is the secret that `configured` stands for.
#[must_use]
pub fn matches(configured: &str, presented: &str) -> bool {
    if is_bcrypt(configured) {
        return bcrypt::verify(presented, configured).unwrap_or(false);
    }
    let (a, b) = (configured.as_bytes(), presented.as_bytes());
    // The length is no secret; every byte is looked at whatever the others say.
    let mut differing = u8::from(a.len() != b.len());
    for (n, byte) in b.iter().enumerate() {
        differing |= byte ^ a.get(n).copied().unwrap_or(0);
    }
    differing == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_and_hashed() {
        assert!(matches("s3cret", "s3cret") && !matches("s3cret", "s3cre") && !matches("s3cret", "s3cretx"));
        assert!(!matches("", "x") && matches("", ""));
        let hash = bcrypt::hash("pw", 4).unwrap();
        assert!(is_bcrypt(&hash) && matches(&hash, "pw") && !matches(&hash, "px"));
        assert!(!matches("$2a$nonsense", "$2a$nonsense"));
    }
}
