//! STREAM.SNAPSHOT and STREAM.RESTORE: what they ask for is checked here, and carried out by tasks of their own.

use std::sync::Arc;

use natterjack_jetstream::archive::Packer;
use natterjack_jetstream::stream::check_restore;
use natterjack_jsapi::request::{Restore, Snapshot};
use natterjack_jsapi::stream::StreamConfig;
use natterjack_jsapi::{ApiError, errors, response};
use natterjack_subject::is_valid_literal;

use super::{Desk, Request, audit};
use crate::clock;
use crate::jetstream::account::JsAccount;
use crate::jetstream::backup::{self, Packing, Wanted};
use crate::jetstream::restore::{self, Incoming};
use crate::jetstream::wire::Wire;

/// A size that was asked for, in bytes: nothing is the default, what is out of bounds (or negative) the nearest that is not.
fn bounded(asked: i64, default: usize, least: usize, most: usize) -> usize {
    if asked == 0 {
        return default;
    }
    usize::try_from(asked).unwrap_or(least).clamp(least, most)
}

impl Desk {
    pub(super) async fn snapshot(&mut self, request: &Request, name: &str) {
        if let Err(error) = self.try_snapshot(request, name).await {
            self.refuse(request, "stream_snapshot_response", &error);
        }
    }

    async fn try_snapshot(&mut self, request: &Request, name: &str) -> Result<(), ApiError> {
        if request.is_empty() {
            return Err(errors::BAD_REQUEST);
        }
        let asked: Snapshot = request.parse("JSApiStreamSnapshotRequest", self.account.strict())?;
        if !is_valid_literal(asked.deliver_subject.as_bytes()) {
            return Err(errors::SNAPSHOT_DELIVER_SUBJECT_INVALID);
        }
        let stream = self.stream(name).ok_or(errors::STREAM_NOT_FOUND)?;
        let consumers = !asked.no_consumers;
        let head = stream.ask(move |owner| {
            let mut packer = Packer::default();
            let (state, snapshot) = owner.group.pack_head(&mut packer, consumers, clock::now());
            (Packing { packer, snapshot }, state)
        });
        let (packing, state) = head.await.ok_or(errors::STREAM_NOT_FOUND)?;
        let chunk = bounded(asked.chunk_size, 128 * 1024, 1024, 1024 * 1024);
        let wanted = Wanted {
            deliver: asked.deliver_subject,
            chunk,
            // A window has room for a chunk at least.
            window: bounded(asked.window_size, 8 * 1024 * 1024, chunk, 32 * 1024 * 1024),
        };
        let mut out = Vec::new();
        response::snapshot(&mut out, &*stream.config(), &state);
        self.answer(request, &out);
        let account = Arc::clone(&self.account);
        let told = audit::Backup::begun(&self.account, name, request);
        told.snapshot_created(&mut self.wire, &state);
        tokio::spawn(async move {
            backup::send(&stream.name, &account, &wanted, packing).await;
            let mut wire = Wire::new(&account.jetstream.server, &account.account);
            told.snapshot_complete(&mut wire);
            wire.lane.flush();
        });
        Ok(())
    }

    pub(super) fn restore(&mut self, request: &Request, name: &str) {
        match self.try_restore(request, name) {
            Ok(config) => {
                let incoming = restore::listen(&self.account, name);
                let told = audit::Backup::begun(&self.account, name, request);
                told.restore_created(&mut self.wire);
                let mut out = Vec::new();
                response::restore(&mut out, &incoming.subject);
                self.answer(request, &out);
                let account = Arc::clone(&self.account);
                tokio::spawn(async move {
                    take_back(&account, config, &incoming, &told).await;
                    incoming.end(&account);
                });
            }
            Err(error) => self.refuse(request, "stream_restore_response", &error),
        }
    }

    fn try_restore(&self, request: &Request, name: &str) -> Result<StreamConfig, ApiError> {
        if request.is_empty() {
            return Err(errors::BAD_REQUEST);
        }
        let mut asked: Restore = request.parse("JSApiStreamRestoreRequest", self.account.strict())?;
        if asked.config.name.is_empty() {
            name.clone_into(&mut asked.config.name);
        }
        if asked.config.name != name {
            return Err(errors::STREAM_MISMATCH);
        }
        let configs = self.account.configs();
        let context = configs.context(false);
        check_restore(name, &asked.config, &context, |config| {
            self.account.check_room(config)
        })
    }
}

/// Takes the chunks, fills the stream, and tells who sent the last of them. Of one who stops sending nobody hears.
async fn take_back(
    account: &Arc<JsAccount>,
    config: StreamConfig,
    incoming: &Incoming,
    told: &audit::Backup,
) {
    let Some(taken) = incoming.take(account).await else {
        return;
    };
    let mut wire = Wire::new(&account.jetstream.server, &account.account);
    let mut out = Vec::new();
    match account.restore(config, taken.path).await {
        Ok(info) => {
            audit::stream_action(&mut wire, account, &info.config.name, "CREATED", "create");
            response::record(&mut out, "stream_create_response", &info);
        }
        Err(error) => response::error(&mut out, "stream_create_response", &error),
    }
    told.restore_complete(&mut wire, taken.bytes);
    if !taken.reply.is_empty() {
        wire.answer(&taken.reply, &out);
    }
    wire.lane.flush();
}
