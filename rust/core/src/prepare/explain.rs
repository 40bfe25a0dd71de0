//! What a plan will do, in words and figures, and what it costs on this machine.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::curve::Curves;
use super::picture::described;
use super::spec::{Color, Depth, Dtype, Fit, Flip, Layout, Resize, Spec, invalid};
use super::{Passes, Plan};
use crate::error::Result;
use crate::frame::{Content, Packing};

/// Bytes of synthetic pictures that a measurement goes through, so that each comes from memory and
/// not from a cache: several times what a last-level cache usually holds.
const MEASURED_BYTES: usize = 128 << 20;
const FEWEST_RUNS: usize = 5;
/// Of a picture or a row: no camera has more, and memory may not.
const MOST_BYTES: usize = 1 << 30;

/// What a plan does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The steps of the one pass, in their order.
    pub steps: Vec<String>,
    /// What reads and resizes: `scalar`, or the kernels' name.
    pub kernel: &'static str,
    /// Bytes of the picture that are looked at.
    pub read_bytes: usize,
    /// Bytes of the row that is written.
    pub written_bytes: usize,
    /// Shape of that row.
    pub row_shape: [usize; 3],
}

/// What a plan costs, on synthetic pictures (noise) that come from memory.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cost {
    /// How often it ran.
    pub runs: usize,
    /// Median time of a run.
    pub median_s: f64,
    /// Shortest time of a run.
    pub fastest_s: f64,
    /// Median time of only reading the same bytes, in turn with the runs: the floor of any pass.
    pub read_s: f64,
}

impl Plan {
    /// What it does.
    pub fn explain(&self) -> Explanation {
        let rows = self.rows_read();
        let crop = self.spec.crop.map_or(self.width, |[_, _, width, _]| width);
        Explanation {
            steps: self.steps(rows),
            kernel: self.kernel(),
            read_bytes: rows * self.format.row_bytes(crop) * self.format.planes(),
            written_bytes: self.row_bytes,
            row_shape: self.row_shape,
        }
    }

    /// Runs on synthetic pictures of its size for about that long, and five times at least.
    ///
    /// # Errors
    /// As [`Plan::run`], and [`Error::Invalid`] for pictures and rows of more than 1 GiB.
    ///
    /// [`Error::Invalid`]: crate::error::Error::Invalid
    pub fn measure(&mut self, budget: Duration) -> Result<Cost> {
        let stride = self.format.row_bytes(self.width);
        let bytes = stride * self.height as usize * self.format.planes();
        if bytes.max(self.row_bytes) > MOST_BYTES {
            let problem = format!(
                "{bytes} B, and a row of {} B; up to {MOST_BYTES} B are measured",
                self.row_bytes
            );
            return Err(invalid("picture", problem));
        }
        let count = (MEASURED_BYTES / bytes).clamp(2, 4096);
        let mut memory = vec![0_u8; count * bytes];
        let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
        for word in memory.chunks_mut(8) {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            word.copy_from_slice(&noise.to_le_bytes()[..word.len()]);
        }
        let mut row = vec![0; self.row_bytes];
        let touched = self.explain().read_bytes.min(bytes);
        let (mut runs, mut reads) = (Vec::new(), Vec::new());
        let begun = Instant::now();
        for image in memory.chunks_exact(bytes).cycle() {
            // Turn about, so that each of both meets pictures that the other has not just read.
            if runs.len() == reads.len() {
                let from = Instant::now();
                self.run(image, stride, &mut row)?;
                runs.push(from.elapsed());
            } else {
                let (words, _) = image[..touched].as_chunks::<8>();
                let from = Instant::now();
                let sum = words
                    .iter()
                    .fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
                black_box(sum);
                reads.push(from.elapsed());
                if runs.len() >= FEWEST_RUNS && begun.elapsed() >= budget {
                    break;
                }
            }
        }
        black_box(&row);
        runs.sort_unstable();
        reads.sort_unstable();
        Ok(Cost {
            runs: runs.len(),
            median_s: runs[runs.len() / 2].as_secs_f64(),
            fastest_s: runs[0].as_secs_f64(),
            read_s: reads[reads.len() / 2].as_secs_f64(),
        })
    }

    /// How many of the camera's rows are looked at.
    fn rows_read(&self) -> usize {
        let crop = self.spec.crop.map_or(self.height, |[_, _, _, height]| height) as usize;
        if self.geometry.orientation.transposed {
            return crop;
        }
        let rows = match &self.passes {
            Passes::Bytes(scalar) => scalar.resizer.rows(),
            Passes::Deep(scalar) => scalar.resizer.rows(),
        };
        let Some(mut rows) = rows else { return crop };
        if matches!(self.format.content(), Some(Content::Bayer(_))) {
            let last = self.height - 1;
            rows = rows.into_iter().flat_map(|y| y.saturating_sub(1)..=(y + 1).min(last)).collect();
        }
        rows.sort_unstable();
        rows.dedup();
        rows.len()
    }

    fn steps(&self, rows: usize) -> Vec<String> {
        let Spec { color, layout, dtype, .. } = self.spec;
        let (width, height, format) = (self.width, self.height, self.format);
        let mut steps =
            vec![format!("read {rows} of {height} rows of {width} x {height} {format}")];
        if let Ok((content, bits, packing)) = described(format) {
            let kept = if self.spec.depth == Some(Depth::Full) { bits } else { 8 };
            let how = match packing {
                Packing::Byte => None,
                Packing::Word => Some("16 bits each"),
                Packing::Dense => Some("bit after bit"),
                Packing::Paired => Some("two in three bytes"),
            };
            steps.extend(
                how.map(|how| format!("unpack samples, {how}: {kept} of {bits} bits are kept")),
            );
            if let Ok(Some(_)) = Curves::of(&self.spec, format) {
                steps.push("black level, white balance and gamma: one table a colour".into());
            }
            match content {
                Content::Bayer(_) => steps.push("demosaic, bilinear".into()),
                Content::Yuv422 { .. } => steps.push("luma and chroma to red, green, blue".into()),
                _ => {}
            }
            if color == Color::Gray && content != Content::Mono {
                steps.push("grey, BT.601".into());
            }
        }
        steps.extend(
            self.spec
                .crop
                .map(|[x, y, width, height]| format!("crop {width} x {height} from ({x}, {y})")),
        );
        if self.spec.turn != 0 {
            steps.push(format!("turn by {} degrees, 32 columns at a time", self.spec.turn));
        }
        match self.spec.flip {
            Flip::None => {}
            Flip::Horizontal => steps.push("flip left and right".into()),
            Flip::Vertical => steps.push("flip top and bottom".into()),
        }
        let (x, y) = (self.geometry.x, self.geometry.y);
        let kind = match self.spec.resize {
            _ if (x.source, y.source) == (x.resized, y.resized) => None,
            Resize::Linear => Some("linear (cv2.INTER_LINEAR)"),
            Resize::LinearFloat => Some("linear_float (torch, antialias=False)"),
            Resize::Area => Some("area (cv2.INTER_AREA)"),
            Resize::Antialias => Some("antialias (PIL BILINEAR)"),
            Resize::AntialiasCubic => Some("antialias_cubic (PIL BICUBIC)"),
            Resize::Nearest => Some("nearest (cv2.INTER_NEAREST)"),
            Resize::NearestPil => Some("nearest_pil (PIL NEAREST)"),
        };
        steps.extend(kind.map(|kind| {
            let sizes = format!("{} x {} to {} x {}", x.source, y.source, x.resized, y.resized);
            format!("resize {sizes}, {kind}")
        }));
        match self.spec.fit {
            Fit::Letterbox => steps.push(format!(
                "borders of {}: {} left, {} above",
                self.spec.pad_value, x.pad, y.pad
            )),
            Fit::CenterCrop => steps.push(format!("cut {} x {} from the middle", x.size, y.size)),
            Fit::Stretch => {}
        }
        let layout = match layout {
            Layout::Nchw => "planes (NCHW)",
            Layout::Nhwc => "pixels (NHWC)",
        };
        let dtype = match dtype {
            Dtype::Float32 => "normalise by table to float32",
            Dtype::Float16 => "normalise by table to float16",
            Dtype::Uint8 => "grey levels as uint8",
        };
        steps.push(format!("{dtype}, write {layout}"));
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::super::PixelFormat;
    use super::*;

    fn explained(spec: &Spec, format: PixelFormat) -> Explanation {
        Plan::new(spec, 64, 48, format).unwrap().explain()
    }

    #[test]
    fn only_the_rows_that_have_a_tap_are_read() {
        let linear = Spec::new(Resize::Linear, [16, 6]);
        // 48 to 6: taps at 3.5 + 8n, two rows each.
        assert_eq!(explained(&linear, PixelFormat::MONO8).read_bytes, 12 * 64);
        assert_eq!(explained(&linear, PixelFormat::BAYER_RG8).read_bytes, 24 * 64);
        let area = Spec::new(Resize::Area, [16, 6]);
        assert_eq!(explained(&area, PixelFormat::BAYER_RG8).read_bytes, 48 * 64);
        let cropped = Spec { crop: Some([2, 3, 20, 10]), ..area };
        assert_eq!(explained(&cropped, PixelFormat::MONO8).read_bytes, 10 * 20);
    }

    #[test]
    fn every_step_is_named_in_its_order() {
        let spec = Spec {
            depth: Some(Depth::Eight),
            gamma: 0.5,
            turn: 90,
            fit: Fit::Letterbox,
            ..Spec::new(Resize::Area, [32, 32])
        };
        let steps = explained(&spec, PixelFormat::BAYER_RG12P).steps;
        let order =
            ["read 48 of 48", "unpack", "black", "demosaic", "turn", "resize", "borders", "write"];
        assert_eq!(steps.len(), order.len(), "{steps:?}");
        for (step, word) in steps.iter().zip(order) {
            assert!(step.contains(word), "{step}: {word}");
        }
    }

    #[test]
    fn a_measurement_runs_and_reads_in_turn() {
        let spec = Spec::new(Resize::Nearest, [4, 4]);
        let mut plan = Plan::new(&spec, 640, 480, PixelFormat::MONO8).unwrap();
        let cost = plan.measure(Duration::ZERO).unwrap();
        assert_eq!(cost.runs, FEWEST_RUNS);
        assert!(cost.fastest_s <= cost.median_s && cost.read_s > 0.0);
    }
}
