//! Configuration files against the peer's `-t`: the verdicts and texts recorded in `testdata`.

use natterjack_conf::NoSource;

use super::*;

/// Cases of `testdata/check.txt`: a configuration on one line (`\n` for line ends), ` => `, then `ok` or the peer's lines
/// joined by ` | `, as `testdata/record.py` writes them. Lines that begin with `~` differ on purpose: the peer prints
/// addresses, panics, or takes what is no map.
#[test]
fn verdicts_are_the_peers() {
    let text = include_str!("../testdata/check.txt");
    let (mut cases, mut wrong) = (0, Vec::new());
    let sorted = |text: &str| {
        let mut lines: Vec<&str> = text.split(" | ").collect();
        lines.sort_unstable();
        lines.join(" | ")
    };
    for (config, expected) in text
        .lines()
        .filter(|l| !l.starts_with('~'))
        .filter_map(|l| l.split_once(" => "))
    {
        let outcome = load(
            &config.replace("\\n", "\n"),
            "m.conf",
            &mut NoSource,
            Options::default(),
        );
        let got = match outcome {
            Ok(loaded) if loaded.warnings.is_empty() => "ok".into(),
            Ok(loaded) => sorted(&loaded.warnings.join(" | ")),
            Err(errors) => sorted(&errors.join(" | ")),
        };
        cases += 1;
        if got != sorted(expected) {
            wrong.push(format!("{config}\n  peer: {expected}\n  ours: {got}"));
        }
    }
    assert!(cases > 60, "{cases} cases");
    assert!(
        wrong.is_empty(),
        "{} of {cases} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn start_checks() {
    let text = |config: &str| {
        let loaded = load(config, "m.conf", &mut NoSource, Options::default()).unwrap();
        check(&loaded.options).unwrap_err().to_string()
    };
    assert_eq!(
        text("lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"30s\""),
        "lame duck grace period (30s) should be strictly lower than lame duck duration (30s)"
    );
    assert_eq!(
        text("max_payload: 2MB\nmax_pending: 1MB"),
        "max_payload (2097152) cannot be higher than max_pending (1048576)"
    );
    // As a flag gives it: the file's is refused where it stands.
    let spaced = Options {
        server_name: "a b".into(),
        ..Options::default()
    };
    assert_eq!(
        check(&spaced).unwrap_err().to_string(),
        "server name cannot contain spaces"
    );
    assert_eq!(
        text("no_auth_user: x"),
        "no_auth_user: \"x\" present, but users/nkeys are not defined"
    );
    assert!(text("tls { cert_file: x, key_file: y }").contains("\"tls\" is not supported"));
    assert!(text("accounts { A { imports: [] } }").contains("accounts.imports"));
}

#[test]
fn a_file_without_values_is_only_worth_a_warning() {
    for text in ["", "# nothing\n", "{}"] {
        let loaded = load(text, "m.conf", &mut NoSource, Options::default()).unwrap();
        assert_eq!(loaded.warnings, ["m.conf: config has no values or is empty"]);
        assert_eq!(loaded.options.port, Options::default().port);
    }
}

#[test]
fn only_the_system_account_leaves_the_server_open() {
    let open = |text: &str| {
        let loaded = load(text, "m.conf", &mut NoSource, Options::default()).unwrap();
        loaded.options.names_only_the_system_account()
    };
    let users = "users: [ {user: a, password: b} ]";
    assert!(open(&format!("accounts {{ $SYS {{ {users} }} }}")));
    assert!(open(&format!(
        "accounts {{ S {{ {users} }} }}, system_account: S"
    )));
    assert!(open("accounts { S {} }, system_account: S"));
    for closed in [
        "port: 4222",
        "accounts { A { users: [ {user: a, password: b} ] } }",
        "accounts { $SYS {}, A {} }",
        "accounts { $SYS {} }, authorization { timeout: 2 }",
        "accounts { $SYS { users: [ {user: a, password: b} ] } }, no_auth_user: a",
    ] {
        assert!(!open(closed), "{closed}");
    }
}

#[test]
fn nothing_is_the_default() {
    let text = "max_payload: 0, max_pending: 0, max_control_line: 0, ping_interval: \"0s\", ping_max: 0
        write_deadline: \"0s\", max_closed_clients: 0";
    let options = load(text, "m.conf", &mut NoSource, Options::default())
        .unwrap()
        .options;
    assert_eq!(
        format!("{:?}", options.limits),
        format!("{:?}", Options::default().limits)
    );
}

#[test]
fn values_arrive() {
    let config = "
        port: -1, max_payload: 2MB, write_deadline: \"5s\", ping_interval: \"20s\", server_tags: [a, b]
        authorization { users: [ {user: u, password: p, permissions: {publish: a.>, subscribe: {deny: \"b q\"}, allow_responses: {max: 2, expires: \"1m\"}}} ], timeout: 1.5 }
        jetstream { max_mem: 1G, max_file: \"2T\", domain: hub, sync_interval: \"2m\", limits {max_ack_pending: 5, batch {max_msgs: 9}} }
        mappings { foo: [ {destination: bar, weight: 50%}, {destination: baz, weight: 50} ] }
    ";
    let options = load(config, "m.conf", &mut NoSource, Options::default())
        .unwrap()
        .options;
    assert_eq!((options.port, options.limits.max_payload_bytes), (-1, 2 << 20));
    assert_eq!(options.auth_timeout_ns(), 1_500_000_000);
    let user = &options.authorization.users[0];
    let permissions = user.permissions.as_ref().unwrap();
    assert!(permissions.can_publish(b"a.b") && !permissions.can_publish(b"c"));
    assert_eq!(permissions.responses.unwrap().max, 2);
    assert_eq!(options.jetstream.max_store_bytes, Some(2 << 40));
    assert_eq!(options.jetstream.max_memory_bytes, Some(1_000_000_000));
    assert_eq!(
        (options.jetstream.sync, options.jetstream.max_batch_size),
        (Sync::Interval(120_000_000_000), 9)
    );
    assert_eq!(options.mappings.len(), 1);
}
