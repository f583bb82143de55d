//! Genuine answers with something wrong in them: what a remote sends after a change that nobody announced, or
//! through a proxy that means well.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value, json};

use crate::{Http, Rng, TransportError, async_trait};

/// Wraps a transport (mostly a model of a remote) and spoils some of its answers, the same for the same source and
/// the same requests. Requests pass as they are.
pub struct Mutated {
    inner: Arc<dyn Http>,
    state: Mutex<State>,
}

struct State {
    rng: Rng,
    one_in: u64,
    spoilt: u64,
}

impl Mutated {
    /// Spoils one answer in `one_in`; none where that is 0.
    pub fn new(inner: Arc<dyn Http>, rng: Rng, one_in: u64) -> Self {
        Self { inner, state: Mutex::new(State { rng, one_in, spoilt: 0 }) }
    }

    /// How many answers were spoilt.
    pub fn spoilt(&self) -> u64 {
        self.lock().spoilt
    }

    /// No more of it.
    pub fn heal(&self) {
        self.lock().one_in = 0;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Http for Mutated {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        let mut response = self.inner.send(request).await?;
        let mut state = self.lock();
        let one_in = state.one_in;
        if one_in > 0 && state.rng.below(one_in) == 0 {
            state.spoilt += 1;
            let body = spoil(response.body(), &mut state.rng);
            *response.body_mut() = body.into();
        }
        Ok(response)
    }
}

/// A body with something wrong in it: mostly still JSON, now and then no longer.
pub fn spoil(body: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = body.to_vec();
    let length = bytes.len() as u64;
    match rng.below(10) {
        0 => bytes.truncate(rng.below(length) as usize),
        1 if length > 0 => {
            for _ in 0..=rng.below(4) {
                bytes[rng.below(length) as usize] = rng.below(256) as u8;
            }
        }
        _ => {
            if let Ok(mut value) = serde_json::from_slice(body) {
                for _ in 0..=rng.below(3) {
                    mutate(&mut value, rng);
                }
                bytes = value.to_string().into_bytes();
            }
        }
    }
    bytes
}

/// Changes one value somewhere within this one: takes it away, doubles it, or puts something else in its place.
pub fn mutate(value: &mut Value, rng: &mut Rng) {
    let mut place = rng.below(size(value));
    visit(value, &mut place, rng);
}

/// Values in this one, itself included.
fn size(value: &Value) -> u64 {
    1 + match value {
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(fields) => fields.values().map(size).sum::<u64>(),
        _ => 0,
    }
}

/// Counts `place` down in the order of the text, and strikes where it reaches 0. Answers whether it struck.
fn visit(value: &mut Value, place: &mut u64, rng: &mut Rng) -> bool {
    if *place == 0 {
        strike(value, rng);
        return true;
    }
    *place -= 1;
    match value {
        Value::Array(items) => items.iter_mut().any(|item| visit(item, place, rng)),
        Value::Object(fields) => fields.values_mut().any(|field| visit(field, place, rng)),
        _ => false,
    }
}

fn strike(value: &mut Value, rng: &mut Rng) {
    match value {
        Value::Object(fields) if rng.below(2) == 0 => {
            let name = fields.keys().nth(rng.below(fields.len() as u64) as usize).cloned();
            name.map(|name| fields.remove(&name));
        }
        Value::Array(items) if !items.is_empty() && rng.below(2) == 0 => {
            let at = rng.below(items.len() as u64) as usize;
            if rng.below(2) == 0 {
                items.remove(at);
            } else {
                items.push(items[at].clone());
            }
        }
        other => *other = stranger(other, rng),
    }
}

/// Something that was not expected there.
fn stranger(was: &Value, rng: &mut Rng) -> Value {
    match rng.below(16) {
        0..3 => Value::Null,
        3 => json!(true),
        4 => json!(0),
        5 => json!(-1),
        6 => json!(u64::MAX),
        7 => json!(i64::MIN),
        8 => json!(1e300),
        9 => json!(""),
        10 => json!("SOMETHING_NEW"),
        11 => json!("\u{0}\u{202e}\r\nX: y ẞ😀"),
        12 => json!("9".repeat(400)),
        13 => json!([]),
        14 => Value::Object(Map::new()),
        _ => (0..40).fold(was.clone(), |inner, _| json!([inner])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_struck_and_the_same_seed_strikes_alike() {
        let whole = json!({ "a": [1, { "b": "x" }], "c": null });
        let spoilt = |seed| {
            let mut value = whole.clone();
            mutate(&mut value, &mut Rng::from_seed(seed));
            value
        };
        assert_eq!(spoilt(3), spoilt(3));
        let kept = |pointer: &str| {
            (0..200).filter(|seed| spoilt(*seed).pointer(pointer) == whole.pointer(pointer)).count()
        };
        for pointer in ["", "/a", "/a/0", "/a/1/b", "/c"] {
            assert!(kept(pointer) < 200, "{pointer} was never struck");
        }
    }
}
