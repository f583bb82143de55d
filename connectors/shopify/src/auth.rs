//! The three kinds of credentials, and one refresher for each shop.
//!
//! A rotated pair is saved before it is used: what was handed out and lost would lock the shop out. Sources:
//! <https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant>,
//! <https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/offline-access-tokens>.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use sdk::{
    Client, Clock, Effect, Error, ErrorKind, ExposeSecret, Priority, Result, SecretString, Timestamp, Tokens,
    client::Call, clock::stable_hash,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// A token is renewed this long before it ends.
const MARGIN_SECS: i64 = 120;

/// What the merchant's file gives.
#[derive(Clone)]
pub(crate) enum Credentials {
    /// A token that lasts.
    Lasting(SecretString),
    /// Client credentials grant: a token for 24 hours, for shops of one's own organisation.
    Grant { id: String, secret: SecretString },
    /// Expiring offline tokens: one hour, and the refresh token changes with each use.
    Rotating { id: String, secret: SecretString, seed: SecretString },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lasting(_) => "Lasting(…)",
            Self::Grant { .. } => "Grant(…)",
            Self::Rotating { .. } => "Rotating(…)",
        })
    }
}

/// What is kept of a rotating pair.
#[derive(Clone, Serialize, Deserialize)]
struct Pair {
    /// Which seed of the file it came from: a changed seed there wins over what is kept here.
    seed: u64,
    #[serde(serialize_with = "exposed")]
    access_token: SecretString,
    #[serde(serialize_with = "exposed")]
    refresh_token: SecretString,
    expires_at: Timestamp,
}

/// For the store, which is closed to others.
fn exposed<S: serde::Serializer>(secret: &SecretString, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(secret.expose_secret())
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
    #[serde(default)]
    expires_in: Option<i64>,
    #[serde(default)]
    refresh_token: Option<SecretString>,
}

#[derive(Default)]
struct State {
    /// What goes into the header, until when.
    current: Option<(SecretString, Timestamp)>,
    /// The rotating pair as saved.
    pair: Option<Pair>,
    /// A pair that could not be saved yet: saved before anything else is asked for.
    unsaved: Option<Pair>,
    loaded: bool,
}

/// The holder of a shop's token.
pub(crate) struct Auth {
    credentials: Credentials,
    url: String,
    clock: Arc<dyn Clock>,
    tokens: Arc<dyn Tokens>,
    state: Mutex<State>,
}

impl Auth {
    pub(crate) fn new(
        credentials: Credentials,
        base: &str,
        clock: Arc<dyn Clock>,
        tokens: Arc<dyn Tokens>,
    ) -> Self {
        let url = format!("{base}/admin/oauth/access_token");
        Self { credentials, url, clock, tokens, state: Mutex::default() }
    }

    /// Whether a refused token can be replaced.
    pub(crate) fn renews(&self) -> bool {
        !matches!(self.credentials, Credentials::Lasting(_))
    }

    /// A token to use now.
    pub(crate) async fn token(&self, client: &Client) -> Result<SecretString> {
        if let Credentials::Lasting(token) = &self.credentials {
            return Ok(token.clone());
        }
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        self.restore(&mut state).await?;
        if let Some((token, until)) = &state.current
            && now < *until - chrono::TimeDelta::seconds(MARGIN_SECS)
        {
            return Ok(token.clone());
        }
        self.renew(&mut state, client, now).await
    }

    /// Forgets a token that was refused, unless another caller has already replaced it.
    pub(crate) async fn forget(&self, refused: &SecretString) {
        let mut state = self.state.lock().await;
        if state.current.as_ref().is_some_and(|(token, _)| token.expose_secret() == refused.expose_secret()) {
            state.current = None;
        }
    }

    async fn restore(&self, state: &mut State) -> Result<()> {
        let Credentials::Rotating { seed, .. } = &self.credentials else { return Ok(()) };
        if let Some(pair) = state.unsaved.clone() {
            self.save(state, pair).await?;
        }
        if state.loaded {
            return Ok(());
        }
        if let Some(saved) = self.tokens.load().await? {
            let pair: Pair = serde_json::from_str(saved.expose_secret()).map_err(|_| {
                Error::new(
                    ErrorKind::Unauthorized,
                    "refresh_token",
                    "the saved tokens cannot be read: put a fresh `refresh_token` into the merchant's file",
                )
            })?;
            if pair.seed == stable_hash(seed.expose_secret()) {
                state.current = Some((pair.access_token.clone(), pair.expires_at));
                state.pair = Some(pair);
            }
        }
        state.loaded = true;
        Ok(())
    }

    async fn save(&self, state: &mut State, pair: Pair) -> Result<()> {
        let text = serde_json::to_string(&pair).map_err(|error| {
            Error::new(ErrorKind::Unavailable, "refresh_token", "the tokens cannot be written")
                .with_source(error)
        })?;
        state.unsaved = Some(pair.clone());
        self.tokens.save(SecretString::from(text)).await?;
        state.unsaved = None;
        state.current = Some((pair.access_token.clone(), pair.expires_at));
        state.pair = Some(pair);
        Ok(())
    }

    async fn renew(&self, state: &mut State, client: &Client, now: Timestamp) -> Result<SecretString> {
        let token = match &self.credentials {
            Credentials::Lasting(token) => token.clone(),
            Credentials::Grant { id, secret } => {
                let form = [
                    ("grant_type", "client_credentials"),
                    ("client_id", id),
                    ("client_secret", secret.expose_secret()),
                ];
                let granted = self.ask("client_credentials", client, &form).await?;
                let until = now + chrono::TimeDelta::seconds(granted.expires_in.unwrap_or(86_400));
                let token = granted.access_token;
                state.current = Some((token.clone(), until));
                token
            }
            Credentials::Rotating { id, secret, seed } => {
                // After a lost answer the same refresh token goes again: Shopify honours it until the new pair
                // is used.
                let refresh = state.pair.as_ref().map_or(seed, |pair| &pair.refresh_token).clone();
                let form = [
                    ("grant_type", "refresh_token"),
                    ("client_id", id),
                    ("client_secret", secret.expose_secret()),
                    ("refresh_token", refresh.expose_secret()),
                ];
                let granted = self.ask("refresh_token", client, &form).await?;
                let pair = Pair {
                    seed: stable_hash(seed.expose_secret()),
                    access_token: granted.access_token,
                    refresh_token: granted.refresh_token.unwrap_or(refresh),
                    expires_at: now + chrono::TimeDelta::seconds(granted.expires_in.unwrap_or(3_600)),
                };
                let token = pair.access_token.clone();
                self.save(state, pair).await?;
                token
            }
        };
        Ok(token)
    }

    async fn ask(&self, operation: &'static str, client: &Client, form: &[(&str, &str)]) -> Result<Granted> {
        let request = http::Request::post(&self.url)
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(http::header::ACCEPT, "application/json")
            .body(Bytes::from(encode(form)))
            .map_err(|error| {
                Error::new(ErrorKind::Rejected, operation, "the shop's address is not a URL")
                    .with_source(error)
            })?;
        let call =
            Call { operation, effect: Effect::Idempotent, priority: Priority::Deliver, cost: 0.0, request };
        let response = client.send(call).await.map_err(|mut error| {
            if matches!(error.kind, ErrorKind::Rejected | ErrorKind::NotFound | ErrorKind::Unauthorized) {
                error.kind = ErrorKind::Unauthorized;
                error.source = None; // not the access token was refused, but what should renew it
                error.message = format!("the app's credentials are refused: {}", error.message);
            }
            error
        })?;
        serde_json::from_slice(response.body()).map_err(|_| {
            // The body may hold a token: it goes into no message.
            Error::new(ErrorKind::Unavailable, operation, "the answer to the token request cannot be read")
        })
    }
}

/// `application/x-www-form-urlencoded`.
fn encode(form: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (key, value) in form {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(key);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    text
}
