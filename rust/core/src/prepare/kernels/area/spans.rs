//! The rows that output rows add up.

use crate::prepare::demosaic::Phase;
use crate::prepare::geometry::Axis;
use crate::prepare::resize_area::edges;

/// What an output row adds up.
#[derive(Clone, Debug)]
pub(super) enum Span {
    /// Of a monochrome picture: `rows` inside, and that of the edge if a share of it is above.
    Mono { rows: std::ops::Range<u32>, edge: bool },
    /// Of a mosaic, at least two `rows` inside and the edge, far from the picture's borders.
    Plain { rows: std::ops::Range<u32>, red: bool },
    /// Of a mosaic: any others.
    Odd(Box<[Task]>),
}

/// A row of a mosaic with its factors in the sum inside and in that of the edge.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Task {
    pub(in super::super) y: u32,
    /// Whether it holds red beside green; else blue.
    pub(in super::super) red: bool,
    pub(in super::super) inside: Share,
    pub(in super::super) edge: Share,
}

impl Task {
    fn new(y: u32, red: bool) -> Self {
        Self { y, red, inside: Share::default(), edge: Share::default() }
    }
}

/// How often a row counts as itself, and as somebody's neighbour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Share {
    pub(in super::super) own: i16,
    pub(in super::super) neighbour: i16,
}

/// The span before the first edge, which has an edge only, and those of the output rows.
pub(super) fn spans_of(
    axis: &Axis,
    span: impl Fn(std::ops::Range<u32>, bool) -> Span,
) -> Vec<Span> {
    let edges = edges(axis).at;
    let first = std::iter::once(edges[0].0..edges[0].0);
    let rows = first.chain(edges.windows(2).map(|pair| pair[0].0..pair[1].0));
    rows.zip(&edges).map(|(rows, edge)| span(rows, edge.1 != 0)).collect()
}

impl Span {
    pub(super) fn of_mosaic(rows: std::ops::Range<u32>, height: u32, phase: Phase) -> Self {
        if rows.len() >= 2 && rows.start >= 1 && rows.end <= height - 2 {
            let red = phase.is_red_row(rows.start as usize - 1);
            return Self::Plain { rows, red };
        }
        let inside = |at: u32| at.clamp(1, height - 2);
        let edge = inside(rows.end);
        let from = inside(rows.start).min(edge) - 1;
        let mut tasks: Vec<_> =
            (from..=edge + 1).map(|y| Task::new(y, phase.is_red_row(y as usize))).collect();
        let mut count = |row: u32, share: fn(&mut Task) -> &mut Share| {
            for (y, own) in [(row - 1, 0), (row, 1), (row + 1, 0)] {
                let share = share(&mut tasks[(y - from) as usize]);
                share.own += own;
                share.neighbour += 1 - own;
            }
        };
        count(edge, |task| &mut task.edge);
        rows.for_each(|row| count(inside(row), |task| &mut task.inside));
        Self::Odd(tasks.into())
    }

    /// The rows of the picture that it looks at.
    pub(super) fn range(&self) -> std::ops::Range<u32> {
        match self {
            Self::Mono { rows, edge } => rows.start..rows.end + u32::from(*edge),
            Self::Plain { rows, .. } => rows.start - 1..rows.end + 2,
            Self::Odd(tasks) => {
                let last = tasks.last().map_or(0, |task| task.y + 1);
                tasks.first().map_or(last, |task| task.y)..last
            }
        }
    }

    /// Rows inside, borders included.
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Mono { rows, .. } | Self::Plain { rows, .. } => rows.len(),
            Self::Odd(tasks) => tasks.len(),
        }
    }
}
