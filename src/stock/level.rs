//! The figure of a SKU in a warehouse, and what moves it.

use sdk::Timestamp;
use serde::{Deserialize, Serialize};

/// The largest figure, either way: what is beyond it is a mistake, and stays countable.
pub const MOST_UNITS: i64 = 1_000_000_000;

/// How many of a figure's last movements are kept.
pub const KEPT_MOVES: u64 = 64;

/// What the supplier has of one SKU in one warehouse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Layout number: [`super::SCHEMA`].
    pub schema: u16,
    /// Our SKU.
    pub sku: String,
    /// The warehouse's name.
    pub warehouse: String,
    /// Units on the shelf. Below zero where more left than was counted.
    pub on_hand: i64,
    /// When the supplier last told it, whether or not it was another figure. Parcels do not count as telling.
    pub told_at: Timestamp,
    /// Units that voids gave back less those that parcels took, of all time: what moved between two moments is the
    /// difference.
    #[serde(default, skip_serializing_if = "skip_none")]
    pub flow: i64,
    /// Counts movements; the last [`KEPT_MOVES`] of them are kept.
    pub moves: u64,
}

/// One change of a figure, as a commit asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// Our SKU.
    pub sku: String,
    /// The warehouse's name.
    pub warehouse: String,
    /// How it changes.
    pub change: Change,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
}

/// How a figure changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is this from now on.
    Set(i64),
    /// So many more (or fewer).
    Add(i64),
    /// It was this when the figure's flow was that: what parcels moved since comes on top.
    SetAt {
        /// Units.
        units: i64,
        /// [`Level::flow`] at that moment.
        flow: i64,
    },
}

/// Why a figure changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An imported file, by its import's id.
    Import(String),
    /// A figure entered by an operator.
    Operator,
    /// A parcel left: `{order}/p{n}`.
    Parcel(String),
    /// A parcel was taken back: `{order}/p{n}`.
    Void(String),
}

impl Cause {
    /// Whether it is the supplier's word on the figure, and not what followed from an order.
    pub fn tells(&self) -> bool {
        matches!(self, Self::Import(_) | Self::Operator)
    }

    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Import(id) => format!("import {id}"),
            Self::Operator => "entered by an operator".to_owned(),
            Self::Parcel(parcel) => format!("parcel {parcel}"),
            Self::Void(parcel) => format!("parcel {parcel} was voided"),
        }
    }
}

/// A movement that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Its number among the figure's movements, from 1.
    pub n: u64,
    /// When.
    pub at: Timestamp,
    /// What was asked for.
    pub change: Change,
    /// The figure after it.
    pub on_hand: i64,
    /// Why.
    pub cause: Cause,
}

impl Level {
    /// The figure after a movement of it, and the entry for its history: none where nothing changed but the time at
    /// which it was told. A first movement begins at zero.
    pub fn moved(level: Option<&Self>, movement: &Movement) -> (Self, Option<Moved>) {
        let before = level.map_or(0, |level| level.on_hand);
        let flow = level.map_or(0, |level| level.flow);
        let on_hand = match movement.change {
            Change::Set(units) => units,
            Change::Add(units) => before.saturating_add(units),
            Change::SetAt { units, flow: then } => units.saturating_add(flow.saturating_sub(then)),
        }
        .clamp(-MOST_UNITS, MOST_UNITS);
        let told_at = match level {
            Some(level) if !movement.cause.tells() => level.told_at,
            Some(level) => level.told_at.max(movement.at),
            None => movement.at,
        };
        let flow = match movement.change {
            Change::Add(units) if !movement.cause.tells() => flow.saturating_add(units),
            _ => flow,
        };
        let news = level.is_none() || on_hand != before;
        let moves = level.map_or(0, |level| level.moves) + u64::from(news);
        let after = Self {
            schema: super::SCHEMA,
            sku: movement.sku.clone(),
            warehouse: movement.warehouse.clone(),
            on_hand,
            told_at,
            flow,
            moves,
        };
        let entry = news.then(|| Moved {
            n: moves,
            at: movement.at,
            change: movement.change,
            on_hand,
            cause: movement.cause.clone(),
        });
        (after, entry)
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn skip_none(units: &i64) -> bool {
    *units == 0
}
