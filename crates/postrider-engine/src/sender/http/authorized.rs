//! Makes calls with an access token, and once more with another one if it is not accepted.

use std::sync::Arc;

use http::StatusCode;
use postrider_core::{
    oauth::{OauthClient, TokenError},
    target::Target,
};

use super::{HttpCall, HttpSender, progress::Progress};
use crate::sender::error::CallError;

impl HttpSender {
    /// Makes the call with the endpoint's access token. If the receiver responds with 401 to a
    /// token that it has accepted before, the call is made again with another one.
    pub(super) async fn authorized_exchange(
        &self,
        target: &Arc<Target>,
        client: &Arc<OauthClient>,
        call: HttpCall<'_>,
        progress: &mut Progress,
    ) -> Result<(), CallError> {
        let token = self.tokens.get(target, client, None).await.map_err(|it| no_token(&it))?;
        self.exchange(HttpCall { authorization: Some(&token.header), ..call }, progress).await?;
        if progress.status() != Some(StatusCode::UNAUTHORIZED) {
            token.note_success();
            return Ok(());
        }
        if !self.tokens.is_worth_refreshing(&token) {
            return Ok(());
        }
        let new = self.tokens.get(target, client, Some(&token)).await;
        *progress = Progress::default();
        let new = new.map_err(|it| no_other_token(&it))?;
        self.exchange(HttpCall { authorization: Some(&new.header), ..call }, progress).await?;
        if progress.status() != Some(StatusCode::UNAUTHORIZED) {
            new.note_success();
        }
        Ok(())
    }
}

pub(super) fn no_token(error: &TokenError) -> CallError {
    CallError::new(error.failure, format!("no access token: {}", error.reason))
}

fn no_other_token(error: &TokenError) -> CallError {
    let reason = format!(
        "the receiver responded with status 401, and there is no other access token: {}",
        error.reason
    );
    CallError::new(error.failure, reason)
}
