//! STREAM.TEMPLATE.*: templates make a stream for each subject that is published to, and take them along when they go.

use std::sync::Arc;

use natterjack_jetstream::meta::{Change, TemplateOf};
use natterjack_jetstream::stream::template::{check_template, stream_name, stream_of};
use natterjack_jetstream::stream::{Create, check_create};
use natterjack_jsapi::request::{ConsumerList, Template};
use natterjack_jsapi::stream::StreamRequest;
use natterjack_jsapi::{ApiError, errors, response};

use super::list::page;
use super::{Desk, Request, Requests, audit};
use crate::jetstream::account::JsAccount;
use crate::jetstream::services;
use crate::mailbox::Mailbox;
use crate::router::lane::Lane;
use crate::router::message::Routed;
use crate::router::sub::{Service, Sub};

/// Names of a page.
const NAMES_MAX: u64 = 1024;

/// A message on a subject of a template for which there was no stream when it came.
#[derive(Debug)]
pub(super) struct Homeless {
    template: Arc<str>,
    subject: Vec<u8>,
    reply: Option<Vec<u8>>,
    headers_len: usize,
    body: Vec<u8>,
}

/// Listens on a subject of a template. A message that comes while its stream is being made may find both: then it is stored
/// twice rather than not at all.
#[derive(Debug)]
struct Trap {
    account: Arc<JsAccount>,
    mailbox: Arc<Mailbox<Requests>>,
    template: Arc<str>,
}

impl Service for Trap {
    fn on_message(&self, message: &Routed<'_>, lane: &mut Lane) -> bool {
        let Ok(subject) = std::str::from_utf8(message.subject) else {
            return false;
        };
        if !self.account.is_enabled() || self.account.stream(&stream_name(subject)).is_some() {
            return false;
        }
        let homeless = Homeless {
            template: Arc::clone(&self.template),
            subject: message.subject.to_vec(),
            reply: message.reply.map(<[u8]>::to_vec),
            headers_len: message.headers_len,
            body: message.body.to_vec(),
        };
        let full = self.mailbox.push(homeless.bytes(), |requests| {
            requests.house(homeless);
        });
        if full {
            lane.wait_at(&self.mailbox.gate);
        }
        true
    }
}

impl Homeless {
    /// What it counts while it waits.
    pub(super) fn bytes(&self) -> usize {
        self.subject.len() + self.body.len() + 256
    }
}

/// Lets the account's templates listen again after a start.
pub(in crate::jetstream) fn listen_all(account: &Arc<JsAccount>, mailbox: &Arc<Mailbox<Requests>>) {
    for template in account.templates() {
        listen(account, mailbox, &template);
    }
}

fn listen(account: &Arc<JsAccount>, mailbox: &Arc<Mailbox<Requests>>, template: &Template) {
    let subjects = template.config.iter().flat_map(|config| &config.subjects);
    let subs: Vec<_> = subjects
        .map(|subject| {
            let trap = Trap {
                account: Arc::clone(account),
                mailbox: Arc::clone(mailbox),
                template: template.name.as_str().into(),
            };
            Sub::service(subject.as_bytes(), Arc::new(trap))
        })
        .collect();
    for sub in &subs {
        account.account.subscribe(sub);
    }
    account.traps.lock().insert(template.name.clone(), subs);
}

/// Makes a template that is allowed, and lets it listen.
async fn make(
    account: &Arc<JsAccount>,
    mailbox: &Arc<Mailbox<Requests>>,
    request: &Request,
    name: &str,
) -> Result<Template, ApiError> {
    let wanted: Template = request.parse("StreamTemplateConfig", account.strict())?;
    let configs = account.configs();
    let context = configs.context(false);
    let template = check_template(name, &wanted, account.template(name).is_some(), &context)?;
    let of = TemplateOf {
        account: account.account.name.to_string(),
        template: template.clone(),
    };
    let change = Change::CreateTemplate(Box::new(of));
    let done = account.jetstream.change(change).await;
    done.map_err(errors::stream_template_create)?;
    listen(account, mailbox, &template);
    Ok(template)
}

impl Desk {
    pub(super) async fn template_create(&mut self, request: &Request, name: &str) {
        let kind = "stream_template_create_response";
        let (account, mailbox) = (Arc::clone(&self.account), Arc::clone(&self.mailbox));
        match make(&account, &mailbox, request, name).await {
            Ok(template) => {
                let mut out = Vec::new();
                response::template(&mut out, kind, &template, &[]);
                self.answer(request, &out);
            }
            Err(error) => self.refuse(request, kind, &error),
        }
    }

    pub(super) fn template_names(&mut self, request: &Request) {
        let kind = "stream_template_names_response";
        let asked: ConsumerList = match request.parse("JSApiStreamTemplatesRequest", self.account.strict()) {
            Ok(asked) => asked,
            Err(error) => return self.refuse(request, kind, &error),
        };
        let names: Vec<String> = self.account.templates().into_iter().map(|t| t.name).collect();
        let (at, names) = page(&names, asked.offset, NAMES_MAX);
        let mut out = Vec::new();
        response::names(&mut out, kind, &at, "streams", Some(&names));
        self.answer(request, &out);
    }

    pub(super) fn template_info(&mut self, request: &Request, name: &str) {
        let kind = "stream_template_info_response";
        if !request.is_empty() {
            return self.refuse(request, kind, &errors::NOT_EMPTY_REQUEST);
        }
        let Some(template) = self.account.template(name) else {
            return self.refuse(request, kind, &errors::STREAM_TEMPLATE_NOT_FOUND);
        };
        let mut out = Vec::new();
        response::template(&mut out, kind, &template, &self.account.made_by(name));
        self.answer(request, &out);
    }

    pub(super) async fn template_delete(&mut self, request: &Request, name: &str) {
        let kind = "stream_template_delete_response";
        match self.try_template_delete(request, name).await {
            Ok(()) => {
                let mut out = Vec::new();
                response::success(&mut out, kind);
                self.answer(request, &out);
            }
            Err(error) => self.refuse(request, kind, &error),
        }
    }

    async fn try_template_delete(&mut self, request: &Request, name: &str) -> Result<(), ApiError> {
        if !request.is_empty() {
            return Err(errors::NOT_EMPTY_REQUEST);
        }
        if self.account.template(name).is_none() {
            return Err(errors::STREAM_TEMPLATE_NOT_FOUND);
        }
        let account = self.account.account.name.to_string();
        let made = self.account.made_by(name);
        let change = Change::DeleteTemplate(account, name.to_owned());
        let done = self.account.jetstream.change(change).await;
        done.map_err(errors::stream_template_delete)?;
        let traps = self.account.traps.lock().remove(name);
        self.account.account.unsubscribe_all(&traps.unwrap_or_default());
        let made: Vec<_> = made.iter().filter_map(|name| self.stream(name)).collect();
        for stream in made {
            let done = self.account.delete(&stream).await;
            done.map_err(errors::stream_template_delete)?;
            audit::stream_action(&mut self.wire, &self.account, &stream.name, "DELETED", "delete");
        }
        Ok(())
    }

    /// Makes the stream that a message has been waiting for, and hands it over.
    pub(super) async fn house(&mut self, homeless: Homeless) {
        let subject = String::from_utf8_lossy(&homeless.subject).into_owned();
        let name = stream_name(&subject);
        if self.stream(&name).is_none()
            && let Err(error) = self.make_for(&homeless.template, &subject).await
        {
            let account = &self.account.account.name;
            tracing::warn!(
                "JetStream could not create stream for account {account:?} on subject {subject:?}, {error}"
            );
            return;
        }
        let Some(stream) = self.stream(&name) else { return };
        let message = Routed {
            subject: &homeless.subject,
            reply: homeless.reply.as_deref(),
            headers_len: homeless.headers_len,
            body: &homeless.body,
            ..Routed::default()
        };
        services::publish(&stream, &message, &mut self.wire.lane);
    }

    async fn make_for(&mut self, template: &str, subject: &str) -> Result<(), String> {
        let of = self.account.template(template).ok_or("template not found")?;
        let made = self.account.made_by(template).len() as u64;
        if made >= of.max_streams {
            return Err("at limit".to_owned());
        }
        let config = stream_of(&of, subject);
        let name = config.name.clone();
        let wanted = StreamRequest {
            config,
            pedantic: false,
        };
        let configs = self.account.configs();
        let context = configs.context(false);
        let text = |error: ApiError| error.description.into_owned();
        let Create::New(config) = check_create(&name, &wanted, &context).map_err(text)? else {
            return Ok(());
        };
        self.account.check_room(&config).map_err(text)?;
        self.account.create(config, template).await?;
        audit::stream_action(&mut self.wire, &self.account, &name, "CREATED", "create");
        Ok(())
    }
}
