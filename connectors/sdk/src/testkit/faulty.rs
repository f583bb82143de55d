//! A transport that fails as a test asks.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};

use crate::{Http, Rng, TransportError, async_trait};

/// What happens to one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing: it is applied and answered.
    Pass,
    /// No connection: it is not applied.
    Refused,
    /// Lost on its way: it is not applied, and one cannot know.
    LostBefore,
    /// Its answer is lost: it *is* applied, and one cannot know.
    LostAfter,
    /// Said to be lost at once, and applied only after this time: the source of late duplicates.
    Late(Duration),
    /// Waits before it reaches the remote.
    DelayBefore(Duration),
    /// Applied at once, answered after this time.
    DelayAfter(Duration),
    /// Answered so by something on the way; not applied.
    AnswerBefore(Response<Bytes>),
    /// Applied, then answered so by something on the way.
    AnswerAfter(Response<Bytes>),
}

/// How often each kind of failure comes, each from 0 to 1; their sum at most 1, the rest passes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// [`Fault::Refused`]
    pub refused: f64,
    /// [`Fault::LostBefore`]
    pub lost_before: f64,
    /// [`Fault::LostAfter`]
    pub lost_after: f64,
    /// [`Fault::Late`], by up to five minutes.
    pub late: f64,
    /// [`Fault::DelayAfter`], by up to two minutes: often past the client's timeout.
    pub slow: f64,
    /// A 503, not applied.
    pub unavailable_before: f64,
    /// A 502, applied.
    pub bad_gateway_after: f64,
    /// A 429 with `Retry-After: 2`, not applied.
    pub rate_limited: f64,
}

type Applies = Box<dyn Fn(&Request<Bytes>) -> bool + Send + Sync>;

/// Wraps a transport (mostly a model of a remote) and loses, delays and replaces. Without a plan all passes.
pub struct Faulty {
    inner: Arc<dyn Http>,
    plan: Mutex<Plan>,
    applies: Applies,
}

#[derive(Default)]
struct Plan {
    script: VecDeque<Fault>,
    chance: Option<(Rng, Rates)>,
    requests: u64,
}

impl Faulty {
    /// A transport that passes everything until told otherwise.
    pub fn new(inner: Arc<dyn Http>) -> Self {
        Self { inner, plan: Mutex::default(), applies: Box::new(|_| true) }
    }

    /// A transport that does to each request in turn what the script says, then passes everything.
    pub fn scripted(inner: Arc<dyn Http>, script: impl IntoIterator<Item = Fault>) -> Self {
        let faulty = Self::new(inner);
        faulty.script(script);
        faulty
    }

    /// A transport that fails by chance, the same for the same source and the same requests.
    pub fn seeded(inner: Arc<dyn Http>, rng: Rng, rates: Rates) -> Self {
        let faulty = Self::new(inner);
        faulty.lock().chance = Some((rng, rates));
        faulty
    }

    /// The same, but only for the requests that `applies` picks; the others pass and use up nothing.
    #[must_use]
    pub fn only(mut self, applies: impl Fn(&Request<Bytes>) -> bool + Send + Sync + 'static) -> Self {
        self.applies = Box::new(applies);
        self
    }

    /// Adds to the script; it goes before chance.
    pub fn script(&self, script: impl IntoIterator<Item = Fault>) {
        self.lock().script.extend(script);
    }

    /// No more failures: the script is dropped, chance ends. What was said to come late still comes.
    pub fn heal(&self) {
        let mut plan = self.lock();
        plan.script.clear();
        plan.chance = None;
    }

    /// How many requests were sent through here, those lost included.
    pub fn requests(&self) -> u64 {
        self.lock().requests
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn next(&mut self) -> Fault {
        if let Some(fault) = self.script.pop_front() {
            return fault;
        }
        let Some((rng, rates)) = &mut self.chance else { return Fault::Pass };
        // Both are drawn each time, so that one fault more does not move all that follow.
        let (mut pick, length) = (rng.unit(), rng.unit());
        let faults = [
            (rates.refused, Fault::Refused),
            (rates.lost_before, Fault::LostBefore),
            (rates.lost_after, Fault::LostAfter),
            (rates.late, Fault::Late(Duration::from_secs(300).mul_f64(length))),
            (rates.slow, Fault::DelayAfter(Duration::from_secs(120).mul_f64(length))),
            (rates.unavailable_before, Fault::AnswerBefore(answer(503))),
            (rates.bad_gateway_after, Fault::AnswerAfter(answer(502))),
            (rates.rate_limited, Fault::AnswerBefore(answer(429))),
        ];
        for (rate, fault) in faults {
            if pick < rate {
                return fault;
            }
            pick -= rate;
        }
        Fault::Pass
    }
}

fn answer(status: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"as the test asked"));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    if status == 429 {
        response.headers_mut().insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("2"));
    }
    response
}

fn lost() -> TransportError {
    TransportError::Interrupted("lost, as the test asked".to_owned())
}

#[async_trait]
impl Http for Faulty {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let fault = {
            let mut plan = self.lock();
            plan.requests += 1;
            if (self.applies)(&request) { plan.next() } else { Fault::Pass }
        };
        match fault {
            Fault::Pass => self.inner.send(request).await,
            Fault::Refused => Err(TransportError::Connect("refused, as the test asked".to_owned())),
            Fault::LostBefore => Err(lost()),
            Fault::LostAfter => {
                self.inner.send(request).await?;
                Err(lost())
            }
            Fault::Late(wait) => {
                let inner = Arc::clone(&self.inner);
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    // Nobody waits for this answer any more.
                    drop(inner.send(request).await);
                });
                Err(lost())
            }
            Fault::DelayBefore(wait) => {
                tokio::time::sleep(wait).await;
                self.inner.send(request).await
            }
            Fault::DelayAfter(wait) => {
                let answer = self.inner.send(request).await;
                tokio::time::sleep(wait).await;
                answer
            }
            Fault::AnswerBefore(answer) => Ok(answer),
            Fault::AnswerAfter(answer) => {
                self.inner.send(request).await?;
                Ok(answer)
            }
        }
    }
}
