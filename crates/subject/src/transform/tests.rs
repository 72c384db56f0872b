//! What each function does, and what the peer refuses in which words.

use super::*;

fn apply(source: &str, destination: &str, subject: &str) -> Option<String> {
    let transform = Transform::new(source, destination).unwrap();
    transform
        .apply(subject.as_bytes(), &mut || 7)
        .map(|v| String::from_utf8(v).unwrap())
}

#[test]
fn functions() {
    for (source, destination, subject, expected) in [
        ("foo", "bar", "foo", "bar"),
        ("foo.*", "bar.$1", "foo.x", "bar.x"),
        (
            "foo.*.*",
            "bar.{{wildcard(2)}}.{{wildcard(1)}}",
            "foo.a.b",
            "bar.b.a",
        ),
        ("foo.*.*", "bar.$1", "foo.a.b", "bar.a"),
        ("foo.>", "bar.>", "foo.a.b", "bar.a.b"),
        ("foo.*.>", "bar.$1.>", "foo.a.b.c", "bar.a.b.c"),
        (">", "a.>", "x.y", "a.x.y"),
        ("*", "p.{{partition(3,1)}}", "foo", "p.0"),
        ("*", "p.{{partition(3,1)}}", "bar", "p.2"),
        ("*", "p.{{partition(3,1)}}", "baz", "p.1"),
        ("*", "{{random(5)}}", "foo", "2"),
        ("*", "{{split(1,-)}}", "-a-b--c", "a.b.c"),
        ("*", "{{splitfromleft(1,2)}}", "abcde", "ab.cde"),
        ("*", "{{SplitFromRight(1,2)}}", "abcde", "abc.de"),
        ("*", "{{SplitFromLeft(1,9)}}", "abc", "abc"),
        ("*", "{{SliceFromLeft(1,2)}}", "abcde", "ab.cd.e"),
        ("*", "{{SliceFromRight(1,2)}}", "abcde", "a.bc.de"),
        ("*", "{{left(1,2)}}", "abcde", "ab"),
        ("*", "{{right(1,2)}}", "abcde", "de"),
        ("foo.*", "x{{wildcard(1)}}", "foo.a", "x{{wildcard(1)}}"),
        ("foo.*", "x.$0", "foo.a", "x.foo"),
        ("foo.*", "x.{{wildcard(0)}}", "foo.a", "x.foo"),
        ("foo.*", "x.{{left(-1,2)}}", "foo.a", "x.fo"),
        ("a.b", "x.{{partition(1000,1,2)}}", "a.b", "x.261"),
        ("e.*.*", "x.{{partition(1000,-1)}}", "e.q.r", "x.744"),
        ("e1.*.*", "x.{{partition(1000,0)}}", "e1.q.r", "x.443"),
    ] {
        assert_eq!(
            apply(source, destination, subject).as_deref(),
            Some(expected),
            "{source} {destination} {subject}"
        );
    }
    assert_eq!(apply("foo.*", "bar", "other"), None);
}

fn assert_refused(source: &str, destination: &str, text: &str) {
    assert_eq!(
        Transform::new(source, destination).unwrap_err().to_string(),
        text,
        "{source} {destination}"
    );
}

#[test]
fn refusals_in_the_peers_words() {
    for (source, destination, text) in [
        (
            "foo.*",
            "bar.$2",
            "invalid mapping destination: wildcard index out of range in $2: [2]",
        ),
        (
            "foo",
            "bar.$2",
            "invalid mapping destination: wildcard index out of range in $2",
        ),
        (
            "foo.*",
            "b.{{wildcard(2)}}",
            "invalid mapping destination: wildcard index out of range in {{wildcard(2)}}: [2]",
        ),
        (
            "foo.*",
            "b.{{wildcard()}}",
            "invalid mapping destination: not enough arguments passed to the function in {{wildcard()}}",
        ),
        (
            "foo.*",
            "b.{{wildcard(a)}}",
            "invalid mapping destination: function argument is invalid or in the wrong format in {{wildcard(a)}}",
        ),
        (
            "foo.*",
            "b.{{wildcard(1,2)}}",
            "invalid mapping destination: too many arguments passed to the function in {{wildcard(1,2)}}",
        ),
        (
            "foo.*",
            "b.{{nope(1)}}",
            "invalid mapping destination: unknown function in {{nope(1)}}",
        ),
        (
            "foo.*",
            "b.{{ WildCard( 1 ) }}",
            "invalid mapping destination: unknown function in {{ WildCard( 1 ) }}",
        ),
        (
            "foo.*",
            "b.{{partition()}}",
            "invalid mapping destination: function argument is invalid or in the wrong format in {{partition()}}",
        ),
        (
            "foo.*",
            "b.{{split(1)}}",
            "invalid mapping destination: not enough arguments passed to the function in {{split(1)}}",
        ),
        (
            "foo.*",
            "b.{{random(3,4)}}",
            "invalid mapping destination: not enough arguments passed to the function in {{random(3,4)}}",
        ),
        ("foo.>", "bar", "invalid subject"),
        ("foo", "bar.>", "invalid subject"),
        ("foo", "bar.*", "invalid subject"),
        ("foo", "bar..x", "invalid mapping destination: invalid transform"),
        ("foo..x", "bar", "invalid subject"),
    ] {
        assert_refused(source, destination, text);
    }
}

#[test]
fn the_first_of_several_faults_is_named() {
    for (source, destination, text) in [
        ("foo", "b c", "invalid mapping destination: invalid transform"),
        (
            "foo.*.>",
            "b.>.$1",
            "invalid mapping destination: invalid transform in $1",
        ),
        (
            "foo.>",
            "b.>.>",
            "invalid mapping destination: invalid transform in >",
        ),
        (
            "foo.*",
            "b.{{wildcard(2147483648)}}",
            "invalid mapping destination: wildcard index out of range in {{wildcard(2147483648)}}: [2147483648]",
        ),
        (
            "foo",
            "b.{{left(1,x)}}",
            "invalid mapping destination: function argument is invalid or in the wrong format in {{left(1,x)}}",
        ),
        (
            "foo",
            "b.{{partition(3,x)}}",
            "invalid mapping destination: function argument is invalid or in the wrong format in {{partition(3,x)}}",
        ),
    ] {
        assert_refused(source, destination, text);
    }
}

#[test]
fn weights() {
    let entry = |d: &str, w: u8| (d.to_owned(), w, String::new());
    let mapping = Mapping::new("foo", &[entry("a", 30), entry("b", 50)]).unwrap();
    let at = |draw: u64| {
        mapping
            .apply(b"foo", "", &mut || draw)
            .map(|v| String::from_utf8(v).unwrap())
    };
    assert_eq!(at(0).as_deref(), Some("a"));
    assert_eq!(at(29).as_deref(), Some("a"));
    assert_eq!(at(30).as_deref(), Some("b"));
    assert_eq!(at(80), None);
    assert!(mapping.is_random() && mapping.matches(b"foo") && !mapping.matches(b"bar"));
    let text = |list: &[(String, u8, String)]| Mapping::new("foo", list).unwrap_err().to_string();
    assert_eq!(
        text(&[entry("a", 60), entry("b", 50)]),
        "total weight needs to be <= 100"
    );
    assert_eq!(
        text(&[entry("a", 50), entry("a", 50)]),
        "duplicate entry for \"a\""
    );
    let elsewhere = ("a".to_owned(), 50, "east".to_owned());
    assert_eq!(text(&[entry("a", 50), elsewhere]), "duplicate entry for \"a\"");
    assert!(!Mapping::new("foo", &[entry("a", 100)]).unwrap().is_random());
}

#[test]
fn any_text_is_answered() {
    proptest::proptest!(|(source in "[a*>.]{0,8}", destination in "[a*>.${}(),0-9w]{0,24}", subject in "[a.]{0,9}")| {
        if let Ok(transform) = Transform::new(&source, &destination) {
            let _kept = transform.apply(subject.as_bytes(), &mut || 3);
        }
    });
}
