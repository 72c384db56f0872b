//! The API under the name of the domain: subjects that are mapped to those everybody uses.

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

/// The mappings of an account, with those of the domain behind them if there is one.
pub(crate) fn mappings(configured: &[Mapping], domain: &str) -> Vec<Mapping> {
    let mut all = configured.to_vec();
    if domain.is_empty() {
        return all;
    }
    all.extend(MAPPED.iter().filter_map(|(rest, destination)| {
        let source = format!("$JS.{domain}.API.{rest}");
        let whole = ((*destination).to_owned(), 100, String::new());
        Mapping::new(&source, &[whole]).ok()
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_of_the_domain_is_mapped() {
        assert!(mappings(&[], "").is_empty());
        let all = mappings(&[], "D");
        assert_eq!(all.len(), MAPPED.len());
        let found = |subject: &[u8]| all.iter().any(|m| m.matches(subject));
        assert!(found(b"$JS.D.API.INFO") && found(b"$JS.D.API.CONSUMER.MSG.NEXT.S.c"));
        assert!(!found(b"$JS.E.API.INFO") && !found(b"$JS.API.INFO"));
    }
}
