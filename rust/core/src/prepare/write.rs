//! Grey levels to elements of a tensor: normalised, in the model's layout and type.

use super::geometry::Geometry;
use super::kernels::Kernels;
use super::kernels::affine::{Affine, Planes, pixels as side_by_side};
use super::level::Level;
use super::spec::{Color, Dtype, Layout, Spec};

/// Writes a tensor row line by line.
#[derive(Clone, Debug)]
pub(super) enum Writer {
    Uint8(Typed<1>),
    Float16(Typed<2>),
    Float32(Typed<4>),
}

impl Writer {
    /// `channels` is what a pixel has on its way in: 1 or 3; `white` is its highest level.
    pub(super) fn new(
        spec: &Spec,
        geometry: &Geometry,
        channels: usize,
        white: u32,
        kernels: Kernels,
    ) -> Self {
        let plan = (spec, geometry, channels, white);
        let mut writer = match spec.dtype {
            Dtype::Uint8 => Self::Uint8(Typed::new(plan, |_, level| [level.round() as u8])),
            Dtype::Float16 => Self::Float16(Typed::new(plan, |c, level| {
                half_bits(normalised(spec, c, level)).to_ne_bytes()
            })),
            Dtype::Float32 => {
                Self::Float32(Typed::new(plan, |c, level| normalised(spec, c, level).to_ne_bytes()))
            }
        };
        match &mut writer {
            Self::Uint8(_) => {}
            Self::Float16(typed) => {
                typed.affine = Affine::of_tables(kernels, spec, &typed.tables);
            }
            Self::Float32(typed) => {
                typed.affine = Affine::of_tables(kernels, spec, &typed.tables);
            }
        }
        writer
    }

    /// Where line `y` of the tensor takes numbers channel by channel, red first, if that is its layout; its
    /// borders are written.
    pub(super) fn planes<'a>(&self, y: usize, row: &'a mut [u8]) -> Option<Planes<'a>> {
        match self {
            Self::Float32(typed) => typed.planes(y, row),
            Self::Uint8(_) | Self::Float16(_) => None,
        }
    }

    /// Line `y` of the tensor: `pixels` (plane after plane) between borders, or all border.
    pub(super) fn line<L: Level>(&self, y: usize, pixels: Option<&[L]>, row: &mut [u8]) {
        match self {
            Self::Uint8(typed) => typed.line(y, pixels, row),
            Self::Float16(typed) => typed.line(y, pixels, row),
            Self::Float32(typed) => typed.line(y, pixels, row),
        }
    }
}

/// For elements of `N` bytes.
#[derive(Clone, Debug)]
pub(super) struct Typed<const N: usize> {
    /// For each channel of the tensor, what each level becomes.
    tables: Vec<Vec<[u8; N]>>,
    /// For each channel of the tensor, an element of the border.
    borders: Vec<[u8; N]>,
    /// For each channel of the tensor, the one of a pixel.
    from: Vec<usize>,
    /// Whether all channels of the tensor are the same, as with a monochrome picture.
    alike: bool,
    layout: Layout,
    width: usize,
    height: usize,
    left: usize,
    shown: usize,
    /// What computes the tables' elements without them, channel by channel.
    affine: Option<Vec<Affine>>,
}

impl Typed<4> {
    fn planes<'a>(&self, y: usize, row: &'a mut [u8]) -> Option<Planes<'a>> {
        let affine = self.affine.as_ref()?.first_chunk::<3>()?;
        if self.layout != Layout::Nchw || self.alike || self.from.iter().max() != Some(&2) {
            return None;
        }
        let (elements, _) = row.as_chunks_mut::<4>();
        let plane = self.height * self.width;
        let (first, rest) = elements.split_at_mut(plane);
        let (second, third) = rest.split_at_mut(plane);
        let mut channel = 0;
        let mut planes = [first, second, third].map(|plane| {
            let line = &mut plane[y * self.width..][..self.width];
            let (left, rest) = line.split_at_mut(self.left);
            let (inside, right) = rest.split_at_mut(self.shown);
            left.fill(self.borders[channel]);
            right.fill(self.borders[channel]);
            channel += 1;
            (inside, affine[channel - 1].how())
        });
        if self.from[0] == 2 {
            planes.reverse();
        }
        Some(Planes::Numbers(planes))
    }
}

impl<const N: usize> Typed<N> {
    fn new(
        (spec, geometry, channels, white): (&Spec, &Geometry, usize, u32),
        element: impl Fn(usize, f64) -> [u8; N],
    ) -> Self {
        // Levels of more bits are brought to those of 8, so that scale, mean and std stay.
        let table = |c| -> Vec<_> {
            (0..=white)
                .map(|level| element(c, f64::from(level) * 255.0 / f64::from(white)))
                .collect()
        };
        let tables: Vec<_> = (0..spec.color.channels()).map(table).collect();
        let borders = (0..tables.len()).map(|c| element(c, spec.pad_value.into())).collect();
        let from = match (channels, spec.color) {
            (1, _) => vec![0; tables.len()],
            (_, Color::Bgr) => vec![2, 1, 0],
            _ => vec![0, 1, 2],
        };
        let alike = tables.iter().zip(&from).all(|one| one == (&tables[0], &from[0]));
        Self {
            tables,
            borders,
            from,
            alike,
            layout: spec.layout,
            width: geometry.x.size as usize,
            height: geometry.y.size as usize,
            left: geometry.x.pad as usize,
            shown: geometry.x.shown as usize,
            affine: None,
        }
    }

    fn line<L: Level>(&self, y: usize, pixels: Option<&[L]>, row: &mut [u8]) {
        let (elements, _) = row.as_chunks_mut::<N>();
        let channels = self.tables.len();
        if let (Layout::Nhwc, Some(affine), Some(levels)) =
            (self.layout, self.affine.as_deref(), pixels.and_then(L::bytes))
            && let Some(affine) = affine.first_chunk::<3>()
        {
            let line = &mut elements[3 * y * self.width..][..3 * self.width];
            let (left, rest) = line.split_at_mut(3 * self.left);
            let (inside, right) = rest.split_at_mut(3 * self.shown);
            for borders in [left, right] {
                let (pixels, _) = borders.as_chunks_mut::<3>();
                pixels.fill([0, 1, 2].map(|c| self.borders[c]));
            }
            let plane = |c: usize| &levels[self.from[c] * self.shown..][..self.shown];
            return side_by_side(affine, [plane(0), plane(1), plane(2)], inside);
        }
        // Bicubic may shoot over white.
        let last = self.tables[0].len() - 1;
        let place = |level: L| last.min(level.into() as usize);
        for (c, (table, &from)) in self.tables.iter().zip(&self.from).enumerate() {
            let border = self.borders[c];
            let plane = match pixels {
                Some(pixels) => &pixels[from * self.shown..][..self.shown],
                None => &[],
            };
            match self.layout {
                // Four bytes are computed as fast as they are copied.
                Layout::Nchw if c > 0 && self.alike && (N < 4 || self.affine.is_none()) => {
                    let first = y * self.width;
                    elements
                        .copy_within(first..first + self.width, (c * self.height + y) * self.width);
                }
                Layout::Nchw => {
                    let line = &mut elements[(c * self.height + y) * self.width..][..self.width];
                    let (left, rest) = line.split_at_mut(self.left);
                    let (inside, right) = rest.split_at_mut(plane.len());
                    left.fill(border);
                    match (&self.affine, L::bytes(plane)) {
                        (Some(affine), Some(plane)) => affine[c].write(plane, inside),
                        _ => {
                            for (element, &level) in inside.iter_mut().zip(plane) {
                                *element = table[place(level)];
                            }
                        }
                    }
                    right.fill(border);
                }
                Layout::Nhwc => {
                    let line = self.width * channels;
                    let line = elements[y * line..][..line].chunks_exact_mut(channels);
                    for (x, pixel) in line.enumerate() {
                        let level = x.checked_sub(self.left).and_then(|x| plane.get(x));
                        pixel[c] = level.map_or(border, |&level| table[place(level)]);
                    }
                }
            }
        }
    }
}

/// The model's number for a grey level of 0 to 255: scaled in float64 and rounded to float32, so that 1/255
/// gives what dividing by 255 gives; mean and standard deviation in float32, as torch has them.
pub(super) fn normalised(spec: &Spec, channel: usize, level: f64) -> f32 {
    let of_channel = |values: &[f64]| values[channel.min(values.len() - 1)] as f32;
    let scaled = (level * spec.scale) as f32;
    (scaled - of_channel(&spec.mean)) / of_channel(&spec.std)
}

/// IEEE 754 binary16, rounded to nearest even.
fn half_bits(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = value.abs();
    if value.is_nan() {
        return sign | 0x7E00;
    }
    if magnitude >= 65_520.0 {
        return sign | 0x7C00;
    }
    if magnitude < 2.0_f32.powi(-14) {
        // Subnormal: counts of 2^-24; the multiplication is exact.
        return sign | (magnitude * 2.0_f32.powi(24)).round_ties_even() as u16;
    }
    // Drop 13 bits of mantissa, rounding; a carry moves on into the exponent, as it should.
    let magnitude = bits & 0x7FFF_FFFF;
    let rounded = magnitude + 0x0FFF + ((magnitude >> 13) & 1);
    sign | ((rounded >> 13) - ((127 - 15) << 10)) as u16
}

#[cfg(test)]
mod tests {
    use super::super::spec::Resize;
    use super::*;

    #[test]
    fn the_default_scale_is_division_by_255() {
        let spec = Spec::new(Resize::Linear, [1, 1]);
        for level in 0..=255_u8 {
            assert_eq!(normalised(&spec, 0, f64::from(level)), f32::from(level) / 255.0);
        }
    }

    #[test]
    fn each_channel_has_its_own_mean_and_deviation() {
        let mut spec = Spec::new(Resize::Linear, [1, 1]);
        spec.mean = vec![0.485, 0.456, 0.406];
        spec.std = vec![0.229];
        let expected = (128.0_f32 / 255.0 - 0.456) / 0.229;
        assert_eq!(normalised(&spec, 1, 128.0), expected);
    }

    #[test]
    fn halves_round_to_nearest_even() {
        for (value, bits) in [
            (0.0, 0x0000),
            (-0.0, 0x8000),
            (1.0, 0x3C00),
            (-2.0, 0xC000),
            (1.0 / 3.0, 0x3555),
            (65_504.0, 0x7BFF),
            (65_519.9, 0x7BFF),
            (65_520.0, 0x7C00),
            (f32::INFINITY, 0x7C00),
            (1.0 + 1.0 / 2048.0, 0x3C00),
            (1.0 + 3.0 / 2048.0, 0x3C02),
            (2.0_f32.powi(-24), 0x0001),
            (2.0_f32.powi(-25), 0x0000),
            (2.0_f32.powi(-14), 0x0400),
            (6.1e-5, 0x03FF),
        ] {
            assert_eq!(half_bits(value), bits, "{value}");
        }
        assert_eq!(half_bits(f32::NAN) & 0x7C00, 0x7C00);
    }

    #[test]
    fn common_specs_are_written_without_a_table() {
        let (mean, std) = (vec![0.485, 0.456, 0.406], vec![0.229, 0.224, 0.225]);
        for kernels in Kernels::available().into_iter().skip(1) {
            for dtype in [Dtype::Float16, Dtype::Float32] {
                let scaled = Spec { dtype, ..Spec::new(Resize::Linear, [4, 4]) };
                let normal = Spec { mean: mean.clone(), std: std.clone(), ..scaled.clone() };
                for spec in [scaled, normal] {
                    let geometry = Geometry::new(&spec, 8, 8).unwrap();
                    let has_affine = match Writer::new(&spec, &geometry, 3, 255, kernels) {
                        Writer::Uint8(_) => false,
                        Writer::Float16(typed) => typed.affine.is_some(),
                        Writer::Float32(typed) => typed.affine.is_some(),
                    };
                    assert!(has_affine, "{} {spec:?}", kernels.name());
                }
            }
        }
    }
}
