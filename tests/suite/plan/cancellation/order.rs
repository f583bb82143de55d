//! Unrelated changes and commands come in any order, with pulls anywhere between them: the end is the same.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::bench::{Bench, Do, Do::*};
use super::super::model::Fault;

type Chain = &'static [Do];

/// After the hand-off, on four lines: what may become of each. `Pull` in a chain is where the supplier saw it.
const AFTER: [&[Chain]; 4] = [
    &[
        &[Want(0, 1), Pull, Accept(1, &[("l1", 3)])],
        &[Want(0, 3), Pull, Reject(1, &[("l1", 1)])],
        &[Want(0, 1), Pull, Accept(1, &[("l1", 2)]), Reject(1, &[("l1", 1)])],
        &[Want(0, 1), Want(0, 4)],
        &[Want(0, 2), Pull, Accept(1, &[("l1", 2)]), Want(0, 4)],
        &[Want(0, 6)],
        &[Ship(1, &[("l1", 2)])],
        &[Ship(1, &[("l1", 2)]), Want(0, 3), Pull, Accept(1, &[("l1", 1)])],
        &[Refund(0, 1)],
    ],
    &[
        &[Foreign(1, 2)],
        &[Foreign(1, 1), Pull, Unforeign],
        &[BySupplier(1, &[("l2", 1)]), Foreign(1, 1)],
        &[BySupplier(1, &[("l2", 2)]), Want(1, 1)],
        &[ByMerchant(1, &[("l2", 1)]), Accept(1, &[("l2", 1)])],
        &[Ship(1, &[("l2", 3)])],
        &[RemoveLine(1)],
    ],
    &[
        &[Want(2, 1), Pull, Accept(1, &[("l3", 2)])],
        &[Want(2, 3)],
        &[Ship(1, &[("l3", 2)]), Ship(1, &[("l4", 1)])],
        &[Ship(1, &[("l3", 1)]), Want(2, 0), Pull, Accept(1, &[("l4", 1)])],
        &[BySupplier(1, &[("l4", 1)])],
        &[Do::Ask(2, 1), Pull, Accept(1, &[("l3", 2)])],
        &[Do::Ask(2, 1), Pull, Reject(1, &[("l3", 2)])],
    ],
    &[
        &[HoldThere("fraud"), LetGo],
        &[Move("Ely"), Pull, Confirm(1)],
        &[Move("Ely"), Pull, KeepOld(1)],
        &[Move("Ely")],
        &[AddLine("A9", 2)],
        &[Want(3, 0)],
    ],
];

/// Before it.
const BEFORE: [&[Chain]; 4] = [
    &[
        &[Want(0, 1)],
        &[Want(0, 1), Want(0, 4)],
        &[Want(0, 6), Pull, Want(0, 3)],
        &[Want(0, 0), Pull, Want(0, 2)],
        &[Refund(0, 2)],
        &[Split(1, &[("l1", 2)]), Want(0, 3)],
    ],
    &[
        &[Foreign(1, 2)],
        &[Foreign(1, 1), Unforeign],
        &[BySupplier(1, &[("l2", 1)]), Foreign(1, 1)],
        &[BySupplier(1, &[("l2", 2)]), Want(1, 1)],
        &[ByMerchant(1, &[("l2", 1)])],
        &[RemoveLine(1)],
    ],
    &[&[Want(2, 1)], &[Want(2, 3)], &[BySupplier(1, &[("l4", 1)])], &[Do::Ask(2, 1)]],
    &[
        &[HoldThere("fraud"), LetGo],
        &[Move("Ely")],
        &[Move("Ely"), Move("Duluth")],
        &[AddLine("A9", 2)],
        &[Want(3, 0)],
    ],
];

const ORDER: super::super::bench::Units = &[("A7", 4), ("A8", 3), ("KIT", 2), ("A6", 1)];

/// What is to be the same: where the units are, what each order has open, its status, what the channel shows, and what
/// waits for a person.
fn end(bench: &Bench) -> Vec<String> {
    let mut end: Vec<String> = bench.lines().split("; ").map(str::to_owned).collect();
    end.sort();
    let mut orders = Vec::new();
    for order in &bench.record.orders {
        let mut lines: Vec<_> = order
            .lines
            .iter()
            .filter(|line| line.open() > 0 || line.gone() > 0)
            .map(|line| {
                (
                    line.channel_line.clone(),
                    &line.sku,
                    line.open(),
                    line.shipped,
                    line.cancelled,
                    line.elsewhere,
                )
            })
            .collect();
        lines.sort();
        orders.push(format!(
            "{} {} {lines:?}",
            bench.record.status(order).as_str(),
            order.acked_at.is_some()
        ));
    }
    orders.sort();
    end.extend(orders);
    let mut made: Vec<_> = bench
        .remote
        .fulfillments
        .iter()
        .filter(|made| made.active)
        .map(|made| format!("{:?}", made.lines))
        .collect();
    made.sort();
    end.extend(made);
    let codes: BTreeSet<_> = bench.record.alerts.iter().map(|alert| alert.code.clone()).collect();
    // Whether an alert about someone else's fulfillment was due depends on whether it was ever seen.
    end.extend(codes.into_iter().filter(|code| code != "fulfilled-elsewhere"));
    end.extend(
        bench.record.writes.iter().filter(|write| write.state.is_parked()).map(|write| write.key.clone()),
    );
    end.push(format!("{} asked there", bench.remote.requests.len()));
    end
}

/// Takes the chains apart in the order that `turns` says, with a pull, a replay or a push where `between` says so.
fn mixed(chains: &[Chain; 4], ack: bool, turns: &[usize], between: &[u8]) -> Bench {
    let mut bench = Bench::new(ORDER);
    if ack {
        bench.step(Ack(1)).expect("in work");
    }
    let mut at = [0; 4];
    let mut turns = turns.iter();
    let mut between = between.iter();
    loop {
        let waiting: Vec<usize> = (0..4).filter(|chain| at[*chain] < chains[*chain].len()).collect();
        if waiting.is_empty() {
            break;
        }
        let chain = waiting[turns.next().copied().unwrap_or(0) % waiting.len()];
        let step = chains[chain][at[chain]];
        at[chain] += 1;
        bench.step(step).unwrap_or_else(|refused| panic!("{step:?}: {refused}"));
        match between.next().copied().unwrap_or(0) % 5 {
            0 => {}
            1 => drop(bench.step(Pull)),
            2 => {
                let (page, known) = (bench.remote.order(), bench.record.seen.clone());
                bench.absorb(page.clone());
                let before = bench.record.clone();
                assert_eq!(bench.absorb(page), portald::plan::Absorbed::Unchanged, "a page twice");
                let older = known.updated_at < bench.record.seen.updated_at;
                if older {
                    assert_eq!(bench.absorb(known), portald::plan::Absorbed::Unchanged, "a stale page");
                }
                assert_eq!(before, bench.record);
            }
            3 => {
                let (record, remote) = (&mut bench.record, &mut bench.remote);
                super::super::model::deliver(record, remote, &bench.policy, bench.now, Fault::None);
            }
            _ => drop(bench.step(Later)),
        }
    }
    bench.run(&[Pull, Quiet, Pull, Quiet])
}

fn chains() -> impl Strategy<Value = (bool, [usize; 4])> {
    (any::<bool>(), [0..100usize, 0..100, 0..100, 0..100])
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PORTALD_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(400),
        ..ProptestConfig::default()
    })]

    #[test]
    fn unrelated_changes_in_any_order_end_alike(
        (ack, pick) in chains(),
        turns in proptest::collection::vec(0..4usize, 16),
        between in proptest::collection::vec(any::<u8>(), 16),
    ) {
        let choices = if ack { AFTER } else { BEFORE };
        let chains: [Chain; 4] = std::array::from_fn(|at| choices[at][pick[at] % choices[at].len()]);
        let plain = mixed(&chains, ack, &[], &[1; 16]);
        let other = mixed(&chains, ack, &turns, &between);
        prop_assert_eq!(end(&plain), end(&other), "{:?}", chains);
    }
}

/// Every pair of chains, one after the other and the other way round.
#[test]
fn every_two_changes_end_alike_both_ways() {
    for (ack, choices) in [(true, AFTER), (false, BEFORE)] {
        for (left, right) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
            for one in choices[left] {
                for two in choices[right] {
                    let mut chains: [Chain; 4] = [&[]; 4];
                    (chains[left], chains[right]) = (one, two);
                    let first = mixed(&chains, ack, &[0; 16], &[]);
                    let second = mixed(&chains, ack, &[1; 16], &[]);
                    let seen = mixed(&chains, ack, &[1, 0, 1, 0, 1, 0], &[1; 16]);
                    assert_eq!(end(&first), end(&second), "{one:?} and {two:?}");
                    assert_eq!(end(&first), end(&seen), "{one:?} and {two:?}, each seen");
                }
            }
        }
    }
}
