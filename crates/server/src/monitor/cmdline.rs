//! The command line as pages show it: without secrets, in the form of the peer.

use std::sync::LazyLock;

const REDACTED: &str = "[REDACTED]";
/// Flags whose values nobody else needs to know.
const SECRET: [&str; 3] = ["user", "pass", "auth"];

/// The command line of this process.
pub(crate) fn cmdline() -> &'static [String] {
    static SHOWN: LazyLock<Vec<String>> = LazyLock::new(|| shown(std::env::args()));
    &SHOWN
}

fn shown(args: impl Iterator<Item = String>) -> Vec<String> {
    let mut secret = false;
    args.map(|arg| {
        if std::mem::take(&mut secret) {
            return REDACTED.to_owned();
        }
        let Some(flag) = arg.strip_prefix("--").or_else(|| arg.strip_prefix('-')) else {
            return without_login(&arg);
        };
        let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v)));
        match value {
            _ if !SECRET.contains(&name) => without_login(&arg),
            None => {
                secret = true;
                arg
            }
            Some(value) => format!("{}{REDACTED}", arg.strip_suffix(value).unwrap_or_default()),
        }
    })
    .collect()
}

/// Addresses, one or several behind commas, without the names and passwords in them.
fn without_login(arg: &str) -> String {
    let hidden = arg.split(',').map(|address| {
        let login = address
            .split_once("://")
            .and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1)));
        match login {
            Some((scheme, host)) => format!("{scheme}://{REDACTED}@{host}"),
            None => address.to_owned(),
        }
    });
    hidden.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_tokens_are_not_shown() {
        let args = "server -m 8222 --user bob -pass s3cret --auth=t0ken -user=bob --routes nats://u:p@h:1,nats://h:2 \
            --cluster=nats://c:d@h:3 --pass";
        let wanted = "server -m 8222 --user [REDACTED] -pass [REDACTED] --auth=[REDACTED] -user=[REDACTED] \
            --routes nats://[REDACTED]@h:1,nats://h:2 --cluster=nats://[REDACTED]@h:3 --pass";
        let given = args.split_ascii_whitespace().map(str::to_owned);
        assert_eq!(
            shown(given).join(" "),
            wanted.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
        );
    }
}
