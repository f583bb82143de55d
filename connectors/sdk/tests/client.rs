//! The layered client against a transport that fails as asked: what is sent how often, and what is known after.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use sdk::{
    Client, Effect, Error, ErrorKind, Http, Priority, Result, Rng, TransportError, async_trait,
    client::{Call, Classify, Limits, classify_status},
    testkit::{Fault, Faulty},
    throttle::Throttle,
};
use tokio::time::Instant;

/// A remote that counts what it applies.
#[derive(Default)]
struct Remote(AtomicU64);

#[async_trait]
impl Http for Remote {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Response::new(Bytes::from_static(b"ok")))
    }
}

/// By status; a body of `garbage` cannot be read, one of `throttled` is a refusal, whatever the status.
struct ByStatus;

impl Classify for ByStatus {
    fn classify(&self, operation: &'static str, response: &Response<Bytes>, _: &Throttle) -> Result<()> {
        match response.body().as_ref() {
            b"garbage" => Err(Error::new(ErrorKind::Malformed, operation, "not JSON")),
            b"throttled" => Err(Error::new(ErrorKind::RateLimited, operation, "THROTTLED")),
            _ => classify_status(operation, response),
        }
    }
}

struct Bench {
    remote: Arc<Remote>,
    faulty: Arc<Faulty>,
    client: Client,
}

fn bench(script: impl IntoIterator<Item = Fault>) -> Bench {
    let remote = Arc::new(Remote::default());
    let faulty = Arc::new(Faulty::scripted(remote.clone(), script));
    let throttle = Arc::new(Throttle::new(1000.0, 100.0));
    let client =
        Client::new(faulty.clone(), Box::new(ByStatus), throttle, Limits::default(), Rng::from_seed(1));
    Bench { remote, faulty, client }
}

impl Bench {
    async fn send(&self, effect: Effect) -> Result<Response<Bytes>> {
        let request = Request::post("https://shop.example/x").body(Bytes::new()).unwrap();
        self.client
            .send(Call { operation: "test", effect, priority: Priority::Deliver, cost: 1.0, request })
            .await
    }

    /// The error's kind (`None`: success), how often it was sent, and how often it was applied.
    async fn outcome(&self, effect: Effect) -> (Option<ErrorKind>, u64, u64) {
        let kind = self.send(effect).await.err().map(|error| error.kind);
        (kind, self.faulty.requests(), self.remote.0.load(Ordering::Relaxed))
    }
}

fn answer(status: u16, body: &'static str) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap()
}

fn wait(status: u16, seconds: &str) -> Response<Bytes> {
    Response::builder().status(status).header("retry-after", seconds).body(Bytes::new()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_may_be_sent_again_is() {
    for effect in [Effect::Safe, Effect::Idempotent] {
        let bench = bench([Fault::LostAfter, Fault::AnswerBefore(answer(503, ""))]);
        assert_eq!(bench.outcome(effect).await, (None, 3, 2), "{effect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsafe_call_is_sent_once_whatever_happens() {
    use ErrorKind::{Indeterminate, RateLimited, Rejected, Unavailable};
    for (fault, kind, applied) in [
        (Fault::Refused, Unavailable, 0),
        (Fault::AnswerBefore(answer(429, "")), RateLimited, 0),
        (Fault::AnswerBefore(answer(200, "throttled")), RateLimited, 0),
        (Fault::AnswerBefore(answer(422, "")), Rejected, 0),
        (Fault::LostBefore, Indeterminate, 0),
        (Fault::LostAfter, Indeterminate, 1),
        (Fault::AnswerAfter(answer(500, "")), Indeterminate, 1),
        (Fault::AnswerAfter(answer(503, "")), Indeterminate, 1),
        (Fault::AnswerAfter(answer(503, "throttled")), Indeterminate, 1),
        (Fault::AnswerAfter(answer(408, "")), Indeterminate, 1),
        (Fault::AnswerAfter(answer(200, "garbage")), Indeterminate, 1),
        (Fault::AnswerAfter(answer(303, "")), Indeterminate, 1),
        (Fault::DelayAfter(Duration::from_secs(31)), Indeterminate, 1),
    ] {
        let what = format!("{fault:?}");
        assert_eq!(bench([fault]).outcome(Effect::Unsafe).await, (Some(kind), 1, applied), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_for_good_says_how() {
    use ErrorKind::{Malformed, NotFound, Rejected, Unauthorized, Unavailable};
    for (fault, kind, sent) in [
        (Fault::Refused, Unavailable, 3),
        (Fault::LostAfter, Unavailable, 3),
        (Fault::AnswerBefore(answer(500, "")), Unavailable, 3),
        (Fault::AnswerBefore(answer(200, "garbage")), Malformed, 1),
        (Fault::AnswerBefore(answer(401, "")), Unauthorized, 1),
        (Fault::AnswerBefore(answer(404, "")), NotFound, 1),
        (Fault::AnswerBefore(answer(302, "")), Rejected, 1),
    ] {
        let what = format!("{fault:?}");
        let bench = bench([fault.clone(), fault.clone(), fault]);
        let (found, requests, _) = bench.outcome(Effect::Safe).await;
        assert_eq!((found, requests), (Some(kind), sent), "{what}");
    }
}

/// The case that loses orders: the first attempt was applied, the second is refused because of it.
#[tokio::test(start_paused = true)]
async fn once_it_may_have_been_applied_no_later_failure_hides_it() {
    for last in [answer(409, ""), answer(429, ""), wait(429, "600"), answer(401, ""), answer(404, "")] {
        let what = format!("{last:?}");
        let last = Fault::AnswerBefore(last);
        let bench = bench([Fault::LostAfter, last.clone(), last]);
        assert_eq!(bench.outcome(Effect::Idempotent).await.0, Some(ErrorKind::Indeterminate), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_that_the_remote_asks_for_is_sat_out() {
    let bench = bench([Fault::AnswerBefore(wait(429, "5"))]);
    let start = Instant::now();
    assert_eq!(bench.outcome(Effect::Safe).await, (None, 2, 1));
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_goes_back_to_the_caller_and_stops_the_whole_account() {
    let bench = bench([Fault::AnswerBefore(wait(429, "600"))]);
    let start = Instant::now();
    for sent in [1, 1] {
        let error = bench.send(Effect::Safe).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::RateLimited);
        assert_eq!(error.retry_after, Some(Duration::from_secs(600)));
        assert_eq!(bench.faulty.requests(), sent, "the second is not even sent");
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(bench.outcome(Effect::Safe).await, (None, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn the_refill_of_a_large_call_is_waited_for_but_not_an_endless_one() {
    let bench = bench([]);
    bench.client.throttle().observe(-3000.0, 1000.0, 100.0);
    let start = Instant::now();
    assert_eq!(bench.outcome(Effect::Unsafe).await, (None, 1, 1));
    assert_eq!(start.elapsed().as_secs(), 30);
    bench.client.throttle().observe(-30_000.0, 1000.0, 100.0);
    let error = bench.send(Effect::Unsafe).await.unwrap_err();
    assert_eq!((error.kind, error.retry_after.unwrap().as_secs()), (ErrorKind::RateLimited, 300));
    assert_eq!(start.elapsed().as_secs(), 30, "told at once");
}

#[tokio::test(start_paused = true)]
async fn waits_double_with_jitter() {
    let bench = bench([Fault::Refused, Fault::Refused]);
    let start = Instant::now();
    assert_eq!(bench.outcome(Effect::Idempotent).await, (None, 3, 1));
    let waited = start.elapsed();
    assert!((375..=752).contains(&waited.as_millis()), "half to all of 250 and 500: {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_time() {
    let slow = Fault::DelayBefore(Duration::from_secs(40));
    let bench = bench([slow.clone(), slow]);
    let start = Instant::now();
    assert_eq!(bench.outcome(Effect::Safe).await, (None, 3, 1));
    assert!(start.elapsed() >= Duration::from_secs(60), "{:?}", start.elapsed());
}

struct TooLarge;

#[async_trait]
impl Http for TooLarge {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        Err(TransportError::TooLarge(33_554_432))
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_too_large_is_malformed_for_a_read_and_unknown_for_a_write() {
    for (effect, kind) in [(Effect::Safe, ErrorKind::Malformed), (Effect::Unsafe, ErrorKind::Indeterminate)] {
        let throttle = Arc::new(Throttle::new(10.0, 1.0));
        let client = Client::new(
            Arc::new(TooLarge),
            Box::new(ByStatus),
            throttle,
            Limits::default(),
            Rng::from_seed(1),
        );
        let request = Request::get("https://shop.example/x").body(Bytes::new()).unwrap();
        let call = Call { operation: "test", effect, priority: Priority::Pull, cost: 1.0, request };
        let error = client.send(call).await.unwrap_err();
        assert_eq!(error.kind, kind);
        assert!(error.message.contains("33554432 bytes"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_request_is_applied_after_it_was_said_to_be_lost() {
    let bench = bench([Fault::Late(Duration::from_secs(90))]);
    assert_eq!(bench.outcome(Effect::Unsafe).await, (Some(ErrorKind::Indeterminate), 1, 0));
    tokio::time::sleep(Duration::from_secs(91)).await;
    assert_eq!(bench.remote.0.load(Ordering::Relaxed), 1);
}
