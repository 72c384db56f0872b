//! Requests for consumers that come together: each is answered by what the one before has become.

use natterjack_tests::{Outcome, RawConnection, Server, api, run};
use serde_json::Value;
use std::fmt::Write as _;

/// Makes stream `S` as `stream` says and asks for all of these consumers in one write. The codes of the errors, 0 for none,
/// in order, and the names of the consumers there are.
async fn asked(stream: &str, consumers: &[(&str, &str)]) -> Outcome<(Vec<u64>, Vec<String>)> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let made = api(&client, "STREAM.CREATE.S", stream).await?;
    assert!(made["error"].is_null(), "{made}");
    let mut raw = RawConnection::connect(server.address(), r#"{"verbose":false}"#).await?;
    let mut text = "SUB d.1 g 1\r\nSUB d.2 g 2\r\nSUB d.3 g 3\r\nSUB r.* 4\r\n".to_owned();
    for (n, (name, more)) in consumers.iter().enumerate() {
        let config = format!(r#"{{"durable_name":"{name}","ack_policy":"explicit",{more}}}"#);
        let body = format!(r#"{{"stream_name":"S","config":{config}}}"#);
        let len = body.len();
        write!(
            text,
            "PUB $JS.API.CONSUMER.DURABLE.CREATE.S.{name} r.{n} {len}\r\n{body}\r\n"
        )?;
    }
    raw.send(text.as_bytes()).await?;
    let mut codes = Vec::new();
    for _ in consumers {
        let line = raw.line().await?;
        assert!(line.starts_with("MSG r."), "{line}");
        let answer: Value = serde_json::from_str(&raw.line().await?)?;
        codes.push(answer["error"]["err_code"].as_u64().unwrap_or(0));
    }
    codes.sort_unstable();
    let names = api(&client, "CONSUMER.NAMES.S", "").await?;
    let names = names["consumers"].as_array().into_iter().flatten();
    let names = names.filter_map(|name| name.as_str().map(str::to_owned));
    Ok((codes, names.collect()))
}

#[test]
fn one_of_those_with_one_name_wins() -> Outcome {
    run(async {
        let to = |n: u32| format!(r#""deliver_subject":"d.{n}","deliver_group":"g""#);
        let (one, two, three) = (to(1), to(2), to(3));
        let wanted = [("D", one.as_str()), ("D", &two), ("D", &three)];
        let (codes, names) = asked(r#"{"name":"S","subjects":["s"]}"#, &wanted).await?;
        assert_eq!((codes, names), (vec![0, 10013, 10013], vec!["D".to_owned()]));
        Ok(())
    })
}

#[test]
fn filters_on_a_work_queue_do_not_overlap() -> Outcome {
    run(async {
        let stream = r#"{"name":"S","subjects":["s.*"],"retention":"workqueue"}"#;
        let filter = r#""filter_subject":"s.a""#;
        let (codes, names) = asked(stream, &[("A", filter), ("B", filter), ("C", filter)]).await?;
        assert_eq!((codes, names.len()), (vec![0, 10100, 10100], 1));
        Ok(())
    })
}

#[test]
fn there_are_no_more_than_there_may_be() -> Outcome {
    run(async {
        let stream = r#"{"name":"S","subjects":["s"],"max_consumers":2}"#;
        let plain = r#""description":"d""#;
        let (codes, names) = asked(stream, &[("A", plain), ("B", plain), ("C", plain)]).await?;
        assert_eq!((codes, names.len()), (vec![0, 0, 10026], 2));
        Ok(())
    })
}
