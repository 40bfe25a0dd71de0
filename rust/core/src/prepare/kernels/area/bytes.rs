//! The inner loops of the area mean where all weights fit bytes, written once for vectors of any width.
//!
//! One instruction then weighs four bytes of a window at once. In a mosaic the even bytes of a window
//! come first and its odd ones last, so that colour and green of a row, which have different weights,
//! stand in different lanes of one sum. A sum of colours that would need threefold weights takes the
//! fourfold ones less one.
//!
//! Whoever invokes [`byte_loops`] has in scope what [`area_loops`](super::area_loops) needs, and
//! `Bytes` groups of windows, `dot_bytes(sums, levels, weights)`, `add_bytes`, `sub_bytes`,
//! `quarters` (four lanes over and over), `shift` (each lane by its own count) and `store_kinds`, which
//! adds up the sums of each window.

macro_rules! byte_loops {
    ($features:literal) => {
        /// Four times the colours of a kind of rows, and green as it is.
        #[inline]
        #[target_feature(enable = $features)]
        fn fourfold_color<const NARROW: bool, const KIND: usize>(sums: V) -> V {
            let counts = match (NARROW, KIND) {
                (true, 0) => [2, 0, 2, 0],
                (true, _) => [0, 2, 0, 2],
                (false, 0) => [2, 2, 0, 0],
                (false, _) => [0, 0, 2, 2],
            };
            shift(sums, quarters(counts))
        }

        /// Windows of a mosaic as `mosaic` has them.
        #[target_feature(enable = $features)]
        fn byte_mosaic<const NARROW: bool, const SECOND: usize, const LAST: usize>(
            groups: &[Bytes<6>],
            rows: Rows<'_>,
            mix: Mix,
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
                let color = [group.weights(0), group.weights(3)];
                let of_mean = [group.weights(1), group.weights(4)];
                let green = [group.weights(2), group.weights(5)];
                // No closures here: one would be compiled without these instructions.
                let plain = [add_bytes(color[0], of_mean[0]), add_bytes(color[1], of_mean[1])];
                let border = [add_bytes(plain[0], green[0]), add_bytes(plain[1], green[1])];
                let middle = [add_bytes(border[0], of_mean[0]), add_bytes(border[1], of_mean[1])];
                let less = [sub_bytes(zero(), color[0]), sub_bytes(zero(), color[1])];

                let (mut ones, mut fours, mut edge) = ([zero(); 2], [zero(); 2], [zero(); 2]);
                let row = load(lens, rows, above);
                ones[first] = dot_bytes(ones[first], row, plain[first]);
                let row = load(lens, rows, second);
                fours[SECOND] = dot_bytes(fours[SECOND], row, border[SECOND]);
                ones[SECOND] = dot_bytes(ones[SECOND], row, less[SECOND]);
                for &[near, far] in pairs {
                    let row = load(lens, rows, near);
                    fours[first] = dot_bytes(fours[first], row, middle[first]);
                    let row = load(lens, rows, far);
                    fours[SECOND] = dot_bytes(fours[SECOND], row, middle[SECOND]);
                }
                if let &[single] = single {
                    let row = load(lens, rows, single);
                    fours[first] = dot_bytes(fours[first], row, middle[first]);
                }
                let row = load(lens, rows, last);
                fours[LAST] = dot_bytes(fours[LAST], row, border[LAST]);
                ones[LAST] = dot_bytes(ones[LAST], row, less[LAST]);
                edge[LAST] = dot_bytes(edge[LAST], row, plain[LAST]);
                let row = load(lens, rows, on_edge);
                let center = add_bytes(add_bytes(color[below], color[below]), green[below]);
                ones[below] = dot_bytes(ones[below], row, plain[below]);
                edge[below] = dot_bytes(edge[below], row, center);
                let row = load(lens, rows, below_edge);
                edge[LAST] = dot_bytes(edge[LAST], row, plain[LAST]);

                let inside = [
                    add_sums(ones[0], fourfold_color::<NARROW, 0>(fours[0])),
                    add_sums(ones[1], fourfold_color::<NARROW, 1>(fours[1])),
                ];
                let all = mixed(mix, inside, edge, &mut sums.lanes[index]);
                store_kinds::<NARROW>(all, index, &mut sums.inside);
            }
        }

        /// Windows of a mosaic over any rows: the few output rows at borders.
        #[target_feature(enable = $features)]
        fn byte_odd_mosaic<const NARROW: bool>(
            groups: &[Bytes<6>],
            rows: Rows<'_>,
            tasks: &[Task],
            mix: Mix,
            sums: &mut Sums,
        ) {
            for (index, group) in groups.iter().enumerate() {
                let (mut inside, mut edge) = ([zero(); 2], [zero(); 2]);
                let lens = group.place.lens();
                for (task, &start) in tasks.iter().zip(rows.starts) {
                    let row = load(lens, rows, start);
                    let kind = usize::from(!task.red);
                    let color = dot_bytes(zero(), row, group.weights(3 * kind));
                    let of_mean = dot_bytes(zero(), row, group.weights(3 * kind + 1));
                    let green = dot_bytes(zero(), row, group.weights(3 * kind + 2));
                    for (sums, share) in [(&mut inside, task.inside), (&mut edge, task.edge)] {
                        let (own, neighbour) = (i32::from(share.own), i32::from(share.neighbour));
                        let color = mul_sums(color, splat_sums(2 * own + neighbour));
                        let of_mean = mul_sums(of_mean, splat_sums(neighbour));
                        let green = add_sums(mul_sums(green, splat_sums(own)), of_mean);
                        sums[kind] = add_sums(sums[kind], add_sums(color, green));
                    }
                }
                let all = mixed(mix, inside, edge, &mut sums.lanes[index]);
                store_kinds::<NARROW>(all, index, &mut sums.inside);
            }
        }

        /// Windows of a single channel. With `edge` the last row is that of the edge.
        #[target_feature(enable = $features)]
        fn byte_mono<const NARROW: bool>(
            groups: &[Bytes<1>],
            rows: Rows<'_>,
            edge: bool,
            mix: Mix,
            sums: &mut Sums,
        ) {
            let (inside, on_edge) = rows.starts.split_at(rows.starts.len() - usize::from(edge));
            let (pairs, single) = inside.as_chunks::<2>();
            let mut fetched = 0;
            for (index, group) in groups.iter().enumerate() {
                let (lens, weights) = (group.place.lens(), group.weights(0));
                rows.ahead.fetch(&mut fetched, lens.column());
                let (mut near, mut far, mut edges) = (zero(), zero(), zero());
                for &[first, second] in pairs {
                    near = dot_bytes(near, load(lens, rows, first), weights);
                    far = dot_bytes(far, load(lens, rows, second), weights);
                }
                for &start in single {
                    near = dot_bytes(near, load(lens, rows, start), weights);
                }
                for &start in on_edge {
                    edges = dot_bytes(edges, load(lens, rows, start), weights);
                }
                let all = add_sums(near, far);
                let [all] = mixed(mix, [all], [edges], &mut sums.lanes[index]);
                store_pair::<NARROW>(all, zero(), index, &mut sums.inside);
            }
        }
    };
}

pub(in super::super) use byte_loops;
