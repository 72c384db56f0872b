//! The API under the name of the domain: subjects that are mapped to those everybody uses, and the other way for accounts
//! whose JetStream is in a domain of its own.

use natterjack_subject::transform::Mapping;

/// What follows `$JS.<domain>.API.`, and what that stands for.
const MAPPED: [(&str, &str); 9] = [
    ("INFO", "$JS.API.INFO"),
    ("STREAM.>", "$JS.API.STREAM.>"),
    ("CONSUMER.>", "$JS.API.CONSUMER.>"),
    ("DIRECT.>", "$JS.API.DIRECT.>"),
    ("META.>", "$JS.API.META.>"),
    ("SERVER.>", "$JS.API.SERVER.>"),
    ("ACCOUNT.>", "$JS.API.ACCOUNT.>"),
    ("$KV.>", "$KV.>"),
    ("$OBJ.>", "$OBJ.>"),
];

/// The mappings of an account: those configured, those of the server's domain, if it has one, and those to the domain that
/// `theirs` says the account's JetStream is in.
pub(crate) fn mappings(configured: &[Mapping], domain: &str, theirs: Option<&String>) -> Vec<Mapping> {
    let mut all = configured.to_vec();
    let mut add = |source: String, destination: String| {
        all.extend(Mapping::new(&source, &[(destination, 100, String::new())]));
    };
    for (rest, destination) in MAPPED.iter().filter(|_| !domain.is_empty()) {
        add(format!("$JS.{domain}.API.{rest}"), (*destination).to_owned());
    }
    // A name with wildcards is taken, and leads nowhere.
    if let Some(theirs) = theirs.filter(|name| !name.is_empty()) {
        for (rest, source) in MAPPED {
            add(source.to_owned(), format!("$JS.{theirs}.API.{rest}"));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_of_the_domain_is_mapped() {
        assert!(mappings(&[], "", None).is_empty());
        let all = mappings(&[], "D", Some(&String::new()));
        assert_eq!(all.len(), MAPPED.len());
        let found = |subject: &[u8]| all.iter().any(|m| m.matches(subject));
        assert!(found(b"$JS.D.API.INFO") && found(b"$JS.D.API.CONSUMER.MSG.NEXT.S.c"));
        assert!(!found(b"$JS.E.API.INFO") && !found(b"$JS.API.INFO"));
    }

    #[test]
    fn what_an_account_asks_goes_to_its_domain() {
        let all = mappings(&[], "", Some(&"hub".into()));
        assert_eq!(all.len(), MAPPED.len());
        let found = |subject: &[u8]| all.iter().any(|m| m.matches(subject));
        assert!(found(b"$JS.API.INFO") && found(b"$KV.bucket.key"));
        assert!(!found(b"$JS.hub.API.INFO") && !found(b"$JS.API.FOO"));
        assert!(mappings(&[], "", Some(&"*".into())).is_empty());
    }
}
