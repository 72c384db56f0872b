//! `$JS.API.INFO`: what the account uses and may use.

use natterjack_jsapi::response;

use super::{Desk, Request};

impl Desk {
    pub(super) async fn info(&mut self, request: &Request) {
        self.account.shown().await;
        let info = self.account.info();
        let mut out = Vec::new();
        response::record(&mut out, "account_info_response", &info);
        self.answer(request, &out);
    }
}
