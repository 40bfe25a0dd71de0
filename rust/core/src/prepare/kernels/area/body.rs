//! The inner loops of the area mean, written once for vectors of any width.
//!
//! Whoever invokes [`area_loops`] has in scope a vector type `V` with `Group`s of windows, and
//! `load(&group.place, rows, row)`, `ahead(&group.place, rows)`, `even`, `odd` (bytes as 16-bit lanes), `zero`,
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

        /// What an output row's sums come to, lane by lane: see `Mix`. Keeps those of the edge for the
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
            let Some(MosaicRows { above, second, pairs, single, last, on_edge, below_edge }) =
                rows.of_mosaic()
            else {
                return;
            };
            let mut fetched = 0;
            for (index, group) in groups.iter().enumerate() {
                let lens = group.place.lens();
                rows.ahead.fetch(&mut fetched, lens.column());
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
                    ($start:expr, $kind:expr) => {{
                        let row = load(lens, rows, $start);
                        if $kind == 0 { split::<0>(row) } else { split::<1>(row) }
                    }};
                }
                let (c, g) = row!(above, first);
                inside[first] = dot(inside[first], c, color[first]);
                greens[first] = dot(greens[first], g, of_mean[first]);
                let (c, g) = row!(second, SECOND);
                inside[SECOND] = dot(inside[SECOND], c, add(twice[SECOND], color[SECOND]));
                greens[SECOND] = dot(greens[SECOND], g, border[SECOND]);
                for &[near, far] in pairs {
                    let (c, g) = row!(near, first);
                    fourth[first] = dot(fourth[first], c, color[first]);
                    greens[first] = dot(greens[first], g, middle[first]);
                    let (c, g) = row!(far, SECOND);
                    fourth[SECOND] = dot(fourth[SECOND], c, color[SECOND]);
                    greens[SECOND] = dot(greens[SECOND], g, middle[SECOND]);
                }
                if let &[single] = single {
                    let (c, g) = row!(single, first);
                    fourth[first] = dot(fourth[first], c, color[first]);
                    greens[first] = dot(greens[first], g, middle[first]);
                }
                let (c, g) = row!(last, LAST);
                inside[LAST] = dot(inside[LAST], c, add(twice[LAST], color[LAST]));
                greens[LAST] = dot(greens[LAST], g, border[LAST]);
                edge[LAST] = dot(edge[LAST], c, color[LAST]);
                edge_green = dot(edge_green, g, of_mean[LAST]);
                let (c, g) = row!(on_edge, below);
                inside[below] = dot(inside[below], c, color[below]);
                greens[below] = dot(greens[below], g, of_mean[below]);
                edge[below] = dot(edge[below], c, twice[below]);
                edge_green = dot(edge_green, g, green[below]);
                let (c, g) = row!(below_edge, LAST);
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
                let lens = group.place.lens();
                for (task, &start) in tasks.iter().zip(rows.starts) {
                    let row = load(lens, rows, start);
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
            let (inside, on_edge) = rows.starts.split_at(rows.starts.len() - usize::from(edge));
            let mut fetched = 0;
            for (index, group) in groups.iter().enumerate() {
                let lens = group.place.lens();
                rows.ahead.fetch(&mut fetched, lens.column());
                let (of_even, of_odd) = (group.weights(0), group.weights(1));
                let (mut evens, mut odds, mut edges) = (zero(), zero(), zero());
                for &start in inside {
                    let row = load(lens, rows, start);
                    evens = dot(evens, even(row), of_even);
                    odds = dot(odds, odd(row), of_odd);
                }
                for &start in on_edge {
                    let row = load(lens, rows, start);
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
            /// Where weights fit bytes and what sums come to fits 32 bits.
            MonoBytes(Vec<Bytes<1>>),
            MosaicBytes(Vec<Bytes<6>>),
        }

        impl Area {
            /// `fits` is whether what sums come to fits 32 bits.
            pub(in crate::prepare::kernels) fn new(
                token: Token,
                across: &Across,
                fits: bool,
            ) -> Option<Self> {
                let (bytes, width) = match across {
                    Across::Mono(all) => (all.bytes, all.width),
                    Across::Mosaic(all) => (all.bytes, all.width),
                };
                let groups = match across {
                    Across::Mono(all) => match mono_bytes(all).filter(|_| fits) {
                        Some(groups) => Groups::MonoBytes(groups),
                        None => Groups::Mono(groups(all)?),
                    },
                    Across::Mosaic(all) => match mosaic_bytes(all).filter(|_| fits) {
                        Some(groups) => Groups::MosaicBytes(groups),
                        None => Groups::Mosaic(groups(all)?),
                    },
                };
                Some(Self { token, groups, narrow: bytes == 8, width })
            }

            pub(in crate::prepare::kernels) fn is_mono(&self) -> bool {
                matches!(self.groups, Groups::Mono(_) | Groups::MonoBytes(_))
            }

            /// Groups of windows.
            pub(in crate::prepare::kernels) fn groups(&self) -> usize {
                match &self.groups {
                    Groups::Mono(groups) => groups.len(),
                    Groups::Mosaic(groups) => groups.len(),
                    Groups::MonoBytes(groups) => groups.len(),
                    Groups::MosaicBytes(groups) => groups.len(),
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
                // SAFETY: the token proves the features.
                unsafe {
                    match (&self.groups, mix, self.narrow) {
                        (Groups::MonoBytes(groups), Some(mix), true) => {
                            byte_mono::<true>(groups, rows, edge, mix, sums);
                        }
                        (Groups::MonoBytes(groups), Some(mix), false) => {
                            byte_mono::<false>(groups, rows, edge, mix, sums);
                        }
                        (Groups::Mono(groups), mix, true) => {
                            mono::<true>(groups, rows, edge, mix, sums);
                        }
                        (Groups::Mono(groups), mix, false) => {
                            mono::<false>(groups, rows, edge, mix, sums);
                        }
                        _ => {}
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
                let last_is_red = red == (rows.starts.len() % 2 == 1);
                macro_rules! by_kinds {
                    ($loops:ident, $groups:expr, $mix:expr) => {
                        match (self.narrow, red, last_is_red) {
                            (false, true, true) => $loops::<false, 1, 0>($groups, rows, $mix, sums),
                            (false, true, false) => {
                                $loops::<false, 1, 1>($groups, rows, $mix, sums)
                            }
                            (false, false, true) => {
                                $loops::<false, 0, 0>($groups, rows, $mix, sums)
                            }
                            (false, false, false) => {
                                $loops::<false, 0, 1>($groups, rows, $mix, sums)
                            }
                            (true, true, true) => $loops::<true, 1, 0>($groups, rows, $mix, sums),
                            (true, true, false) => $loops::<true, 1, 1>($groups, rows, $mix, sums),
                            (true, false, true) => $loops::<true, 0, 0>($groups, rows, $mix, sums),
                            (true, false, false) => $loops::<true, 0, 1>($groups, rows, $mix, sums),
                        }
                    };
                }
                // SAFETY: the token proves the features.
                unsafe {
                    match (&self.groups, mix) {
                        (Groups::MosaicBytes(groups), Some(mix)) => {
                            by_kinds!(byte_mosaic, groups, mix);
                        }
                        (Groups::Mosaic(groups), mix) => by_kinds!(mosaic, groups, mix),
                        _ => {}
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
                // SAFETY: the token proves the features.
                unsafe {
                    match (&self.groups, mix, self.narrow) {
                        (Groups::MosaicBytes(groups), Some(mix), true) => {
                            byte_odd_mosaic::<true>(groups, rows, tasks, mix, sums);
                        }
                        (Groups::MosaicBytes(groups), Some(mix), false) => {
                            byte_odd_mosaic::<false>(groups, rows, tasks, mix, sums);
                        }
                        (Groups::Mosaic(groups), mix, true) => {
                            odd_mosaic::<true>(groups, rows, tasks, mix, sums);
                        }
                        (Groups::Mosaic(groups), mix, false) => {
                            odd_mosaic::<false>(groups, rows, tasks, mix, sums);
                        }
                        _ => {}
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

pub(in super::super) use area_loops;
