//! What the server answers on `$SYS` subjects. The wanted texts are the peer's, whose sequence and times differ each time.
//! Never tests events.

use natterjack_tests::{Outcome, RawConnection, Server, run};
use serde_json::{Value, json};

/// The answer to a request of this user without a body.
async fn ask(server: &Server, user: &str) -> Outcome<Value> {
    let options = format!(r#"{{"verbose":false,"user":"{user}","pass":"x"}}"#);
    let mut raw = RawConnection::connect(server.address(), &options).await?;
    raw.send(b"SUB inbox.a 1\r\nPUB $SYS.REQ.USER.INFO inbox.a 0\r\n\r\n")
        .await?;
    let head = raw.line().await?;
    assert!(head.starts_with("MSG inbox.a 1 "), "{head}");
    Ok(serde_json::from_str(&raw.line().await?)?)
}

#[test]
fn a_user_asks_who_it_is() -> Outcome {
    run(async {
        let config = "authorization { users: [ { user: a, password: x }
            { user: b, password: x, permissions: {
              publish: { allow: \"$SYS.REQ.USER.INFO\", deny: \"b\" }
              subscribe: [\"inbox.> q\", \"inbox.>\"]
              allow_responses: { max: 3, expires: \"1m\" } } } ] }
            accounts { ACC { users: [ { user: c, password: x } ] } }\n";
        let server = Server::with_config(config).await?;
        let answer = ask(&server, "a").await?;
        let data = json!({"user": "a", "account": "$G", "account_name": "$G"});
        assert_eq!(answer["data"], data);
        let about = &answer["server"];
        assert_eq!(
            (&about["host"], &about["ver"]),
            (&json!("127.0.0.1"), &json!("2.15.1"))
        );
        assert_eq!((&about["jetstream"], &about["flags"]), (&json!(true), &json!(7)));
        let permissions = json!({
            "publish": {"allow": ["$SYS.REQ.USER.INFO"], "deny": ["b"]},
            "subscribe": {"allow": ["inbox.> q", "inbox.>"]},
            "responses": {"max": 3, "ttl": 60_000_000_000_u64},
        });
        assert_eq!(ask(&server, "b").await?["data"]["permissions"], permissions);
        assert_eq!(ask(&server, "c").await?["data"]["account"], "ACC");
        Ok(())
    })
}
