//! The inner loops of the area mean, written once for vectors of any width.
//!
//! Whoever invokes [`area_loops`] has in scope a vector type `V` with `Group`s of windows, and
//! `load(group, rows, row)`, `ahead(group, rows)`, `even`, `odd` (bytes as 16-bit lanes), `zero`,
//! `splat` and `mul` (16-bit), `add` (16-bit), `add_sums`, `sub_sums`, `mul_sums`, `splat_sums`,
//! `fourfold`, `lanes`, `keep_lanes` (32-bit), `dot(sums, levels, weights)`, and `store_rgb`,
//! `store_pair`, which add up the sums of each window.

macro_rules! area_loops {
    ($features:literal) => {
        /// Colour and green of a row of a mosaic, one of which lies in each half of the columns. Rows
        /// of kind 0 hold red, in even bytes of a window, those of kind 1 blue.
        #[inline]
        #[target_feature(enable = $features)]
        fn split<const KIND: usize>(row: V) -> (V, V) {
            if KIND == 0 { (even(row), odd(row)) } else { (odd(row), even(row)) }
        }

        /// What an output row's sums come to, lane by lane: see [`Mix`]. Keeps those of the edge for the
        /// next row.
        #[inline]
        #[target_feature(enable = $features)]
        fn mixed<const N: usize>(
            mix: Mix,
            inside: [V; N],
            edge: [V; N],
            before: &mut [[i32; 16]; 3],
        ) -> [V; N] {
            let whole = splat_sums(mix.whole);
            let [of_before, of_edge] = [splat_sums(mix.shares[0]), splat_sums(mix.shares[1])];
            let mut mixed = inside;
            for channel in 0..N {
                let edges = sub_sums(
                    mul_sums(edge[channel], of_edge),
                    mul_sums(lanes(&before[channel]), of_before),
                );
                mixed[channel] = add_sums(mul_sums(inside[channel], whole), edges);
                keep_lanes(edge[channel], &mut before[channel]);
            }
            mixed
        }

        /// Hands on what a group of a mosaic's windows came to. A macro, since a function of so many
        /// vectors would be called and not become part of its caller.
        macro_rules! store_mosaic {
            ($mix:expr, $inside:expr, $edge:expr, $index:expr, $sums:expr) => {
                match $mix {
                    Some(mix) => {
                        let all = mixed(mix, $inside, $edge, &mut $sums.lanes[$index]);
                        store_rgb::<NARROW>(all, $index, &mut $sums.inside);
                    }
                    None => {
                        store_rgb::<NARROW>($inside, $index, &mut $sums.inside);
                        store_rgb::<NARROW>($edge, $index, &mut $sums.edge);
                    }
                }
            };
        }

        /// Windows of a mosaic over at least two rows inside, the first of which has the kind
        /// `SECOND` and the last `LAST`, with the row above, the edge's and the one below that.
        #[target_feature(enable = $features)]
        fn mosaic<const NARROW: bool, const SECOND: usize, const LAST: usize>(
            groups: &[Group<6>],
            rows: Rows<'_>,
            mix: Option<Mix>,
            sums: &mut Sums,
        ) {
            let first = 1 - SECOND;
            let below = 1 - LAST;
            let last = rows.starts.len() - 3;
            for (index, group) in groups.iter().enumerate() {
                ahead(group, rows);
                let color = [group.weights(0), group.weights(1)];
                let of_mean = [group.weights(3), group.weights(2)];
                let green = [group.weights(5), group.weights(4)];
                // No closures here: one would be compiled without these instructions.
                let twice = [add(color[0], color[0]), add(color[1], color[1])];
                let border = [add(green[0], of_mean[0]), add(green[1], of_mean[1])];
                let middle = [add(border[0], of_mean[0]), add(border[1], of_mean[1])];

                let (mut inside, mut fourth) = ([zero(); 2], [zero(); 2]);
                let (mut greens, mut edge, mut edge_green) = ([zero(); 2], [zero(); 2], zero());
                // A match on a const parameter takes its branch at compile time.
                macro_rules! row {
                    ($at:expr, $kind:expr) => {{
                        let row = load(group, rows, $at);
                        if $kind == 0 { split::<0>(row) } else { split::<1>(row) }
                    }};
                }
                let (c, g) = row!(0, first);
                inside[first] = dot(inside[first], c, color[first]);
                greens[first] = dot(greens[first], g, of_mean[first]);
                let (c, g) = row!(1, SECOND);
                inside[SECOND] = dot(inside[SECOND], c, add(twice[SECOND], color[SECOND]));
                greens[SECOND] = dot(greens[SECOND], g, border[SECOND]);
                let mut at = 2;
                while at + 1 < last {
                    let (c, g) = row!(at, first);
                    fourth[first] = dot(fourth[first], c, color[first]);
                    greens[first] = dot(greens[first], g, middle[first]);
                    let (c, g) = row!(at + 1, SECOND);
                    fourth[SECOND] = dot(fourth[SECOND], c, color[SECOND]);
                    greens[SECOND] = dot(greens[SECOND], g, middle[SECOND]);
                    at += 2;
                }
                if at < last {
                    let (c, g) = row!(at, first);
                    fourth[first] = dot(fourth[first], c, color[first]);
                    greens[first] = dot(greens[first], g, middle[first]);
                }
                let (c, g) = row!(last, LAST);
                inside[LAST] = dot(inside[LAST], c, add(twice[LAST], color[LAST]));
                greens[LAST] = dot(greens[LAST], g, border[LAST]);
                edge[LAST] = dot(edge[LAST], c, color[LAST]);
                edge_green = dot(edge_green, g, of_mean[LAST]);
                let (c, g) = row!(last + 1, below);
                inside[below] = dot(inside[below], c, color[below]);
                greens[below] = dot(greens[below], g, of_mean[below]);
                edge[below] = dot(edge[below], c, twice[below]);
                edge_green = dot(edge_green, g, green[below]);
                let (c, g) = row!(last + 2, LAST);
                edge[LAST] = dot(edge[LAST], c, color[LAST]);
                edge_green = dot(edge_green, g, of_mean[LAST]);

                let red = add_sums(inside[0], fourfold(fourth[0]));
                let blue = add_sums(inside[1], fourfold(fourth[1]));
                let green = add_sums(greens[0], greens[1]);
                let edge = [edge[0], edge_green, edge[1]];
                store_mosaic!(mix, [red, green, blue], edge, index, sums);
            }
        }

        /// Windows of a mosaic over any rows: the few output rows at borders.
        #[target_feature(enable = $features)]
        fn odd_mosaic<const NARROW: bool>(
            groups: &[Group<6>],
            rows: Rows<'_>,
            tasks: &[Task],
            mix: Option<Mix>,
            sums: &mut Sums,
        ) {
            for (index, group) in groups.iter().enumerate() {
                let (mut inside, mut edge) = ([zero(); 3], [zero(); 3]);
                for (at, task) in tasks.iter().enumerate() {
                    let row = load(group, rows, at);
                    let (channel, (c, g)) =
                        if task.red { (0, split::<0>(row)) } else { (2, split::<1>(row)) };
                    let kind = channel / 2;
                    for (sums, share) in [(&mut inside, task.inside), (&mut edge, task.edge)] {
                        let (own, neighbour) = (splat(share.own), splat(share.neighbour));
                        let of_color = splat(2 * share.own + share.neighbour);
                        let color = mul(group.weights(kind), of_color);
                        let of_mean = mul(group.weights(3 - kind), neighbour);
                        let green = add(mul(group.weights(5 - kind), own), of_mean);
                        sums[channel] = dot(sums[channel], c, color);
                        sums[1] = dot(sums[1], g, green);
                    }
                }
                store_mosaic!(mix, inside, edge, index, sums);
            }
        }

        /// Windows of a single channel. With `edge` the last row is that of the edge.
        #[target_feature(enable = $features)]
        fn mono<const NARROW: bool>(
            groups: &[Group<2>],
            rows: Rows<'_>,
            edge: bool,
            mix: Option<Mix>,
            sums: &mut Sums,
        ) {
            let inside = rows.starts.len() - usize::from(edge);
            for (index, group) in groups.iter().enumerate() {
                ahead(group, rows);
                let (of_even, of_odd) = (group.weights(0), group.weights(1));
                let (mut evens, mut odds, mut edges) = (zero(), zero(), zero());
                for at in 0..inside {
                    let row = load(group, rows, at);
                    evens = dot(evens, even(row), of_even);
                    odds = dot(odds, odd(row), of_odd);
                }
                if edge {
                    let row = load(group, rows, inside);
                    edges = dot(dot(edges, even(row), of_even), odd(row), of_odd);
                }
                let all = add_sums(evens, odds);
                match mix {
                    Some(mix) => {
                        let [all] = mixed(mix, [all], [edges], &mut sums.lanes[index]);
                        store_pair::<NARROW>(all, zero(), index, &mut sums.inside);
                    }
                    None => store_pair::<NARROW>(all, edges, index, &mut sums.inside),
                }
            }
        }

        /// The area mean across and down with these instructions.
        #[derive(Clone, Debug)]
        pub(in crate::prepare) struct Area {
            token: Token,
            groups: Groups,
            narrow: bool,
            /// Bytes that each row must have.
            width: usize,
        }

        #[derive(Clone, Debug)]
        enum Groups {
            Mono(Vec<Group<2>>),
            Mosaic(Vec<Group<6>>),
        }

        impl Area {
            pub(in crate::prepare::kernels) fn new(token: Token, across: &Across) -> Option<Self> {
                let (groups, bytes, width) = match across {
                    Across::Mono(all) => (Groups::Mono(groups(all)?), all.bytes, all.width),
                    Across::Mosaic(all) => (Groups::Mosaic(groups(all)?), all.bytes, all.width),
                };
                Some(Self { token, groups, narrow: bytes == 8, width })
            }

            pub(in crate::prepare::kernels) fn is_mono(&self) -> bool {
                matches!(self.groups, Groups::Mono(_))
            }

            /// Groups of windows.
            pub(in crate::prepare::kernels) fn groups(&self) -> usize {
                match &self.groups {
                    Groups::Mono(groups) => groups.len(),
                    Groups::Mosaic(groups) => groups.len(),
                }
            }

            /// Checks what the loops rely on, so that no load leaves the bytes.
            fn check(&self, rows: Rows<'_>) {
                let last = rows.bytes.len().checked_sub(self.width);
                assert!(
                    rows.starts.iter().all(|&start| last.is_some_and(|last| start <= last)),
                    "a row of {} B leaves the picture's bytes",
                    self.width
                );
            }

            pub(in crate::prepare::kernels) fn mono(
                &self,
                rows: Rows<'_>,
                edge: bool,
                mix: Option<Mix>,
                sums: &mut Sums,
            ) {
                self.check(rows);
                let Groups::Mono(groups) = &self.groups else { return };
                // SAFETY: the token proves the features.
                unsafe {
                    if self.narrow {
                        mono::<true>(groups, rows, edge, mix, sums);
                    } else {
                        mono::<false>(groups, rows, edge, mix, sums);
                    }
                }
            }

            /// The first of `rows`, which is above those inside, holds red or blue.
            pub(in crate::prepare::kernels) fn mosaic(
                &self,
                rows: Rows<'_>,
                red: bool,
                mix: Option<Mix>,
                sums: &mut Sums,
            ) {
                self.check(rows);
                let Groups::Mosaic(groups) = &self.groups else { return };
                let last_is_red = red == (rows.starts.len() % 2 == 1);
                // SAFETY: the token proves the features.
                unsafe {
                    match (self.narrow, red, last_is_red) {
                        (false, true, true) => mosaic::<false, 1, 0>(groups, rows, mix, sums),
                        (false, true, false) => mosaic::<false, 1, 1>(groups, rows, mix, sums),
                        (false, false, true) => mosaic::<false, 0, 0>(groups, rows, mix, sums),
                        (false, false, false) => mosaic::<false, 0, 1>(groups, rows, mix, sums),
                        (true, true, true) => mosaic::<true, 1, 0>(groups, rows, mix, sums),
                        (true, true, false) => mosaic::<true, 1, 1>(groups, rows, mix, sums),
                        (true, false, true) => mosaic::<true, 0, 0>(groups, rows, mix, sums),
                        (true, false, false) => mosaic::<true, 0, 1>(groups, rows, mix, sums),
                    }
                }
            }

            pub(in crate::prepare::kernels) fn odd_mosaic(
                &self,
                rows: Rows<'_>,
                tasks: &[Task],
                mix: Option<Mix>,
                sums: &mut Sums,
            ) {
                self.check(rows);
                let Groups::Mosaic(groups) = &self.groups else { return };
                // SAFETY: the token proves the features.
                unsafe {
                    if self.narrow {
                        odd_mosaic::<true>(groups, rows, tasks, mix, sums);
                    } else {
                        odd_mosaic::<false>(groups, rows, tasks, mix, sums);
                    }
                }
            }

            /// Grey levels of the sums.
            pub(in crate::prepare::kernels) fn finish(
                &self,
                how: Finish,
                sums: &Sums,
                shares: [f64; 2],
                out: &mut [u8],
            ) {
                #[target_feature(enable = $features)]
                fn planes(how: Finish, sums: &Sums, shares: [f64; 2], out: &mut [u8]) {
                    how.planes(sums, shares, out);
                }
                #[target_feature(enable = $features)]
                fn plane(how: Finish, sums: &Sums, shares: [f64; 2], out: &mut [u8]) {
                    how.plane(sums, shares, out);
                }
                let _proof = self.token;
                // SAFETY: the token proves the features.
                unsafe {
                    if self.is_mono() {
                        plane(how, sums, shares, out);
                    } else {
                        planes(how, sums, shares, out);
                    }
                }
            }
        }
    };
}

pub(super) use area_loops;
