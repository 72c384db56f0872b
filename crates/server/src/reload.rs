//! Reading the configuration again: all of it or nothing. Which options may change is said by `natterjack-config`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use natterjack_config::changes;
use natterjack_proto::{ServerError, encode};

use crate::account::Account;
use crate::conn::{CloseReason, Conn};
use crate::jetstream::switch;
use crate::live::{self, Live};
use crate::server::Server;
use crate::{clock, log, ports, run, system};

/// Puts what the flags and the file say now in force, and says so in the log; or says why not.
///
/// # Errors
/// Why not, in the words of the log.
pub(crate) async fn reload(server: &Arc<Server>) -> Result<(), String> {
    let _one_at_a_time = server.reloading.lock().await;
    match apply(server).await {
        Ok(digest) => {
            tracing::info!("Reloaded server configuration ({digest})");
            Ok(())
        }
        Err(text) => {
            tracing::error!("Failed to reload server configuration: {text}");
            Err(text)
        }
    }
}

async fn apply(server: &Arc<Server>) -> Result<String, String> {
    let flags = server.flags.get().cloned().unwrap_or_default();
    if flags.config.is_none() {
        return Err("can only reload config when a file is provided using -c or --config".into());
    }
    let fresh = run::options(&flags, false)?;
    let before = server.live.load_full();
    let lines = changes(&before.options, &fresh).map_err(|e| e.to_string())?;
    log::configure(&fresh.logging).map_err(|e| format!("error opening log file: {e}"))?;
    let digest = fresh.config_digest.clone();
    let came = live::update(&server.accounts, &fresh);
    server.live.store(Arc::new(Live::new(fresh)));
    for account in &came {
        system::serve(server, account);
    }
    let switched = before.options.jetstream.enabled != server.live.load().options.jetstream.enabled;
    if let Some(jetstream) = server.jetstream().filter(|_| !switched) {
        came.into_iter().for_each(|account| jetstream.adopt(account));
        jetstream.reconfigure();
    }
    server.configured.store(Arc::new(clock::wall()));
    write_files(server, &before);
    for line in lines {
        tracing::info!("{line}");
    }
    if switched {
        switch::turn(server).await;
    }
    send_surplus_away(server);
    for conn in server.connections() {
        conn.outbound.wake.notify_one();
    }
    Ok(digest)
}

/// The files that others look for, where they are expected now.
fn write_files(server: &Server, before: &Live) {
    let now = server.live.load();
    let (old, new) = (&before.options, &now.options);
    if old.pid_file != new.pid_file
        && let Some(path) = &new.pid_file
        && let Err(error) = ports::write_pid(path)
    {
        tracing::error!("Failed to write pidfile: {error}");
    }
    if old.ports_file_dir == new.ports_file_dir {
        return;
    }
    if let Some(folder) = &old.ports_file_dir {
        ports::remove_ports(folder);
    }
    if let Some(folder) = &new.ports_file_dir
        && let Err(error) = ports::write_ports(server, folder)
    {
        let folder = Path::new(folder).display();
        tracing::error!("Error writing ports file to {folder}: {error}");
    }
}

/// The youngest connections go when there are more than there may be now, on the server or in an account.
fn send_surplus_away(server: &Server) {
    let most = server.live.load().options.limits.max_connections;
    let mut conns = server.connections();
    if let Some(most) = usize::try_from(most).ok().filter(|most| *most > 0) {
        for conn in conns.drain(most.min(conns.len())..) {
            let reason = CloseReason::MaxConnectionsExceeded;
            send_away(&conn, &ServerError::MaximumConnections, reason);
        }
    }
    let mut held: HashMap<*const Account, u64> = HashMap::new();
    for conn in conns.iter().filter(|conn| conn.joined.load(Ordering::Relaxed)) {
        let account = Arc::clone(&conn.facts.lock().account);
        let Some(most) = account.limits.lock().max_connections else {
            continue;
        };
        let held = held.entry(Arc::as_ptr(&account)).or_default();
        *held += 1;
        if *held > most {
            let reason = CloseReason::MaxAccountConnectionsExceeded;
            send_away(conn, &ServerError::MaximumAccountConnections, reason);
        }
    }
}

fn send_away(conn: &Conn, error: &ServerError, reason: CloseReason) {
    let mut said = Vec::new();
    encode::err(&mut said, error);
    let _gone_already = conn.outbound.queue_protocol(&said);
    conn.close(reason);
}
