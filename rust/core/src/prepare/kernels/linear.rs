//! Linear resizing of a Bayer mosaic: only the taps of output pixels are demosaiced, many at a time.
//!
//! Both taps of an output pixel, with all that demosaicing looks at, lie in four neighbouring columns
//! of three rows. These columns are one *word* of each row; words of a row lie side by side, lane by
//! lane, and all else is arithmetic on lanes. Of the two pixels in the middle of a word one is green
//! and one is *colored*; words where green comes first are turned around, so that every lane does
//! the same:
//!
//! ```text
//! byte     0      1      2      3
//! above    .    green    .    green
//! here   green colored green colored
//! below    .    green    .    green
//! ```
//!
//! Portable code; each set of kernels has it compiled for itself.

// Where there are no kernels nothing of this is ever reached.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused, unreachable_code, dead_code))]

use super::super::demosaic::Phase;
use super::super::geometry::Axis;
use super::super::level::Level;
use super::super::picture::{Columns, Picture, planes};
#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::{Instructions, Kernels, Portable, prefetch};

/// Lanes come in multiples of this, so that no vector is filled in part.
pub(super) const LANES: usize = 16;

/// Two neighbouring columns or rows and their weights, in [`Level::LINEAR_ONE`]s.
pub(in super::super) type Tap = ([u32; 2], [i32; 2]);

/// The pass for one picture size and spec.
#[derive(Clone, Debug)]
pub(in super::super) struct Mosaic<L> {
    kernels: Kernels,
    phase: Phase,
    height: usize,
    shown: usize,
    picks: Picks,
    /// Lanes where the colored columns are even, and where they are odd.
    lanes: [Lanes; 2],
    /// The latest rows' words: those of row y lie in `words[y % 4]`.
    words: [Vec<u32>; 4],
    held_words: [Option<usize>; 4],
    /// The last two rows, resized across: planes of as many sums as there are words.
    sums: [Vec<i32>; 2],
    held_sums: [Option<usize>; 2],
    /// A row, where a picture's bytes are not its levels.
    columns: Columns,
    levels: Vec<L>,
    #[cfg(target_arch = "x86_64")]
    taps: Option<(avx512::Taps, Held<L>)>,
}

/// The latest rows of a picture whose bytes are not its levels: those of row y lie in `levels[y % 4]`.
#[derive(Clone, Debug)]
struct Held<L> {
    levels: [Vec<L>; 4],
    rows: [Option<usize>; 4],
}

/// Where the words of a row begin.
#[derive(Clone, Debug)]
pub(super) struct Picks {
    starts: Vec<u32>,
    #[cfg(target_arch = "x86_64")]
    avx512: Option<avx512::Picks>,
}

/// For each word what is done with it.
#[derive(Clone, Debug, Default)]
struct Lanes {
    /// All ones where it is turned around.
    turned: Vec<u32>,
    /// Weight of the colored pixel and of the green one.
    colored: Vec<i32>,
    green: Vec<i32>,
}

impl<L: Level> Mosaic<L> {
    /// For a Bayer mosaic of that size; none where these kernels cannot do it.
    pub(in super::super) fn new(
        kernels: Kernels,
        across: &[Tap],
        down: &Axis,
        (width, height): (u32, u32),
        phase: Phase,
    ) -> Option<Self> {
        // Kernels know bytes only.
        L::bytes(&[])?;
        if matches!(kernels.0, Instructions::Scalar) || width < 4 {
            return None;
        }
        let words = across.len().next_multiple_of(LANES);
        let (mut starts, mut lanes) = (Vec::new(), [Lanes::default(), Lanes::default()]);
        let mut of_words = Vec::new();
        for index in 0..words {
            let (at, weight) = across[index.min(across.len() - 1)];
            // As everywhere, the outermost columns repeat those inside of them.
            let [left, right] = at.map(|x| x.clamp(1, width - 2));
            let both = weight[0] + weight[1];
            let (first, weight) = match (left == right, left == width - 2) {
                (false, _) => (left, weight),
                (true, false) => (left, [both, 0]),
                (true, true) => (left - 1, [0, both]),
            };
            starts.push(first - 1);
            of_words.push((first - 1, weight));
            for (parity, lanes) in (0..).zip(&mut lanes) {
                let green_first = first % 2 != parity;
                lanes.turned.push(if green_first { u32::MAX } else { 0 });
                lanes.colored.push(weight[usize::from(green_first)]);
                lanes.green.push(weight[usize::from(!green_first)]);
            }
        }
        let picks = Picks::new(kernels, starts, width as usize);
        #[cfg(target_arch = "x86_64")]
        let taps = match kernels.0 {
            // Where it enlarges much, rows are better resized across once than once for each output row.
            Instructions::Avx512(token) if down.resized <= down.source => {
                avx512::Taps::new(token, &of_words[..across.len()], width as usize).map(|taps| {
                    let levels = [0; 4].map(|_| vec![L::default(); width as usize]);
                    (taps, Held { levels, rows: [None; 4] })
                })
            }
            _ => None,
        };
        Some(Self {
            #[cfg(target_arch = "x86_64")]
            taps,
            kernels,
            phase,
            height: height as usize,
            shown: across.len(),
            picks,
            lanes,
            words: [0; 4].map(|_| vec![0; words]),
            held_words: [None; 4],
            sums: [0; 2].map(|_| vec![0; 3 * words]),
            held_sums: [None; 2],
            columns: Columns::Range { first: 0, count: width as usize },
            levels: vec![L::default(); width as usize],
        })
    }

    pub(in super::super) fn restart(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if let Some((_, held)) = &mut self.taps {
            held.rows = [None; 4];
        }
        self.held_words = [None; 4];
        self.held_sums = [None; 2];
    }

    /// The output row between those rows; the next one begins at row `next`. The picture is one of
    /// samples.
    pub(in super::super) fn row(
        &mut self,
        ([upper, lower], weights): Tap,
        next: u32,
        picture: &mut Picture<'_, L>,
        out: &mut [L],
    ) {
        let Some(out) = L::bytes_mut(out) else { return };
        // As everywhere, the outermost rows repeat those inside of them.
        let [upper, lower] = [upper, lower].map(|y| (y as usize).clamp(1, self.height - 2));
        #[cfg(target_arch = "x86_64")]
        if let Some((taps, held)) = &mut self.taps {
            let ahead = (next as usize).saturating_sub(upper);
            let mut of_rows: [[&[u8]; 2]; 4] = [[&[]; 2]; 4];
            let wanted = [upper - 1, upper, upper + 1, lower + 1];
            match picture.plain() {
                Some((bytes, stride)) => {
                    let width = self.levels.len();
                    let line = |y: usize| bytes.get(y * stride..)?.get(..width);
                    for (lines, y) in of_rows.iter_mut().zip(wanted) {
                        *lines = [y, y + ahead].map(|y| line(y).unwrap_or_default());
                    }
                }
                None => {
                    held.read(wanted, &self.columns, picture);
                    for (lines, y) in of_rows.iter_mut().zip(wanted) {
                        lines[0] = L::bytes(&held.levels[y % 4]).unwrap_or_default();
                    }
                }
            }
            let planes = planes(out, self.shown);
            let [red, green, blue] = planes;
            let is_red = self.phase.is_red_row(upper);
            return taps.row(avx512::MosaicJob {
                colored: self.phase.colored(upper),
                lines: of_rows.map(|[line, _]| line),
                ahead: of_rows.map(|[_, ahead]| ahead),
                alone: lower == upper,
                weights,
                planes: if is_red { [red, green, blue] } else { [blue, green, red] },
            });
        }
        if self.held_sums[1] == Some(upper) {
            self.sums.swap(0, 1);
            self.held_sums.swap(0, 1);
        }
        let ahead = (next as usize).saturating_sub(upper);
        self.hold(0, upper, ahead, picture);
        if lower != upper {
            self.hold(1, lower, ahead, picture);
        }
        let lower = &self.sums[usize::from(lower != upper)];
        let planes = out.chunks_exact_mut(self.shown);
        let words = self.picks.starts.len();
        let rows = self.sums[0].chunks_exact(words).zip(lower.chunks_exact(words));
        for (out, (upper, lower)) in planes.zip(rows) {
            self.kernels.run(Mixed { rows: [upper, lower], weights, out });
        }
    }

    /// Makes `sums[slot]` those of row `y`, which has one above and one below.
    fn hold(&mut self, slot: usize, y: usize, ahead: usize, picture: &mut Picture<'_, L>) {
        if self.held_sums[slot] == Some(y) {
            return;
        }
        self.held_sums[slot] = Some(y);
        for y in y - 1..=y + 1 {
            self.pick(y, ahead, picture);
        }
        let words = |y: usize| &self.words[y % 4][..];
        let count = self.picks.starts.len();
        let (red, rest) = self.sums[slot].split_at_mut(count);
        let (green, blue) = rest.split_at_mut(count);
        let (of_row, of_column) = if self.phase.is_red_row(y) { (red, blue) } else { (blue, red) };
        self.kernels.run(Across {
            rows: [words(y - 1), words(y), words(y + 1)],
            lanes: &self.lanes[self.phase.colored(y)],
            sums: [of_row, green, of_column],
        });
    }

    /// Makes sure that the words of row `y` are held; the row so far `ahead` will be wanted soon.
    fn pick(&mut self, y: usize, ahead: usize, picture: &mut Picture<'_, L>) {
        let slot = y % 4;
        if self.held_words[slot] == Some(y) {
            return;
        }
        self.held_words[slot] = Some(y);
        let width = self.levels.len();
        let (line, ahead) = match picture.plain() {
            Some((bytes, stride)) => {
                let line = |y: usize| bytes.get(y * stride..)?.get(..width);
                (line(y).unwrap_or_default(), line(y + ahead).unwrap_or_default())
            }
            None => {
                picture.read(y, &self.columns, &mut self.levels);
                (L::bytes(&self.levels).unwrap_or_default(), &[][..])
            }
        };
        self.picks.pick(line, ahead, &mut self.words[slot]);
    }
}

impl<L: Level> Held<L> {
    fn read(&mut self, wanted: [usize; 4], columns: &Columns, picture: &mut Picture<'_, L>) {
        for y in wanted {
            if self.rows[y % 4] != Some(y) {
                self.rows[y % 4] = Some(y);
                picture.read(y, columns, &mut self.levels[y % 4]);
            }
        }
    }
}

impl Picks {
    /// For rows of `width` bytes.
    pub(super) fn new(kernels: Kernels, starts: Vec<u32>, width: usize) -> Self {
        #[cfg(target_arch = "x86_64")]
        let avx512 = match kernels.0 {
            Instructions::Avx512(token) => avx512::Picks::new(token, &starts, width),
            _ => None,
        };
        Self {
            starts,
            #[cfg(target_arch = "x86_64")]
            avx512,
        }
    }

    /// The words of a row. What lies `ahead` is wanted next.
    pub(super) fn pick(&self, line: &[u8], ahead: &[u8], words: &mut [u32]) {
        #[cfg(target_arch = "x86_64")]
        if let Some(picks) = &self.avx512 {
            return picks.pick(line, ahead, words);
        }
        prefetch(ahead);
        for (word, &start) in words.iter_mut().zip(&self.starts) {
            let bytes = line[start as usize..].first_chunk().copied();
            *word = u32::from_le_bytes(bytes.unwrap_or_default());
        }
    }
}

/// One row across.
struct Across<'a> {
    /// Words of the row above, of this one, and of the one below.
    rows: [&'a [u32]; 3],
    lanes: &'a Lanes,
    /// Sums of the row's own colour, of green, and of the other colour.
    sums: [&'a mut [i32]; 3],
}

impl Portable for Across<'_> {
    #[inline(always)]
    fn run(self) {
        let [of_row, green, of_column] = self.sums;
        let count = of_row.len();
        let (green, of_column) = (&mut green[..count], &mut of_column[..count]);
        let [above, here, below] = self.rows;
        let (above, here, below) = (&above[..count], &here[..count], &below[..count]);
        let Lanes { turned, colored, green: of_green } = self.lanes;
        let (turned, colored, of_green) = (&turned[..count], &colored[..count], &of_green[..count]);
        const EVEN: u32 = 0x00FF_00FF;
        for lane in 0..count {
            let turned = turned[lane];
            let (a, h, b) = (above[lane], here[lane], below[lane]);
            let a = (a & !turned) | (a.swap_bytes() & turned);
            let h = (h & !turned) | (h.swap_bytes() & turned);
            let b = (b & !turned) | (b.swap_bytes() & turned);
            // Two bytes at once, in halves of 16 bits: 0 and 2, or 1 and 3.
            let beside = (a & EVEN) + (b & EVEN);
            let middle = ((a >> 8) & EVEN) + ((b >> 8) & EVEN);
            let (greens, colors) = (h & EVEN, (h >> 8) & EVEN);
            let other = ((beside + (beside >> 16) + 2) & 0xFFFF) >> 2;
            let others = ((beside >> 16) + 1) >> 1;
            let between = (((greens + (greens >> 16)) & 0xFFFF) + (middle & 0xFFFF) + 2) >> 2;
            let own = ((colors + (colors >> 16) + 1) & 0xFFFF) >> 1;
            let (colored, of_green) = (colored[lane], of_green[lane]);
            of_row[lane] = (colors & 0xFFFF) as i32 * colored + own as i32 * of_green;
            green[lane] = between as i32 * colored + (greens >> 16) as i32 * of_green;
            of_column[lane] = other as i32 * colored + others as i32 * of_green;
        }
    }
}

/// Two rows down.
pub(super) struct Mixed<'a> {
    pub(super) rows: [&'a [i32]; 2],
    pub(super) weights: [i32; 2],
    pub(super) out: &'a mut [u8],
}

impl Portable for Mixed<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { rows: [upper, lower], weights, out } = self;
        let (upper, lower) = (&upper[..out.len()], &lower[..out.len()]);
        for lane in 0..out.len() {
            out[lane] = u8::mixed([upper[lane], lower[lane]], weights);
        }
    }
}
