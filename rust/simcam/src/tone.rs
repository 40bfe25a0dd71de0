//! What gain, black level and look-up table make of the samples that were prepared without them.

use crate::formats::{Packing, PixelFormat, Samples};

/// Entries of the look-up table.
pub(crate) const LUT_ENTRIES: usize = 256;

/// The settings behind it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Analog {
    /// Of all channels, and of red, green and blue on top of that.
    pub(crate) gain_db: [f64; 4],
    /// Grey levels of 255, added behind the gain.
    pub(crate) black_level: f64,
    pub(crate) lut_enabled: bool,
    /// The grey level of 255 that comes of each; between them it is interpolated.
    pub(crate) lut: [u8; LUT_ENTRIES],
}

impl Default for Analog {
    fn default() -> Self {
        Self {
            gain_db: [0.0; 4],
            black_level: 0.0,
            lut_enabled: false,
            lut: std::array::from_fn(|level| level as u8),
        }
    }
}

impl Analog {
    fn is_neutral(&self) -> bool {
        self.gain_db == [0.0; 4] && self.black_level == 0.0 && !self.lut_enabled
    }

    /// The grey level of 255 that comes of one.
    fn curve(&self, level: f64, factor: f64) -> f64 {
        let level = (level * factor + self.black_level).clamp(0.0, 255.0);
        if !self.lut_enabled {
            return level;
        }
        let below = level as usize;
        let (low, high) = (self.lut[below], self.lut[(below + 1).min(LUT_ENTRIES - 1)]);
        f64::from(low) + (level - below as f64) * (f64::from(high) - f64::from(low))
    }

    /// The level of each level of a channel, of so many bits.
    fn table(&self, channel: Option<usize>, bits: u32) -> Vec<u16> {
        let gain_db = self.gain_db[0] + channel.map_or(0.0, |channel| self.gain_db[channel + 1]);
        let factor = 10f64.powf(gain_db / 20.0);
        let most = f64::from((1u32 << bits) - 1);
        (0..1u32 << bits)
            .map(|level| {
                let out = self.curve(f64::from(level) * 255.0 / most, factor);
                (out * most / 255.0).round() as u16
            })
            .collect()
    }
}

/// The settings as tables for one format.
#[derive(Debug)]
pub(crate) struct Tone {
    format: PixelFormat,
    /// Of grey, or of red, green and blue.
    tables: Vec<Vec<u16>>,
    /// The one table, where a byte is a sample and all are treated alike.
    bytes: Option<Box<[u8; 256]>>,
}

impl Tone {
    /// `None` leaves the samples as they are.
    pub(crate) fn new(analog: &Analog, format: PixelFormat) -> Option<Self> {
        if analog.is_neutral() {
            return None;
        }
        let (bits, packing) = format.packing();
        let is_alike = match format.samples() {
            Samples::Mono | Samples::Yuv422 { .. } => true,
            Samples::Mosaic(_) | Samples::Colours(_) => analog.gain_db[1..] == [0.0; 3],
        };
        let tables: Vec<Vec<u16>> = if is_alike {
            vec![analog.table(None, bits)]
        } else {
            (0..3).map(|channel| analog.table(Some(channel), bits)).collect()
        };
        let has_other_samples = match format.samples() {
            Samples::Colours(colours) => colours.len() > 3,
            Samples::Yuv422 { .. } => true,
            Samples::Mono | Samples::Mosaic(_) => false,
        };
        let bytes = (is_alike && packing == Packing::Byte && !has_other_samples)
            .then(|| Box::new(std::array::from_fn(|level| tables[0][level] as u8)));
        Some(Self { format, tables, bytes })
    }

    /// The table, where every byte goes through the same.
    pub(crate) fn byte_table(&self) -> Option<&[u8; 256]> {
        self.bytes.as_deref()
    }

    /// The bytes of an image whose rows have so many pixels.
    pub(crate) fn apply(&self, image: &[u8], width: usize) -> Vec<u8> {
        let mut samples = self.format.unpack(image);
        let table = |channel: usize| self.tables.get(channel).unwrap_or(&self.tables[0]);
        match self.format.samples() {
            Samples::Mono => {
                for sample in &mut samples {
                    *sample = table(0)[usize::from(*sample)];
                }
            }
            Samples::Mosaic(cell) => {
                for (at, sample) in samples.iter_mut().enumerate() {
                    let (row, column) = (at / width, at % width);
                    let channel = cell[(row & 1) * 2 + (column & 1)];
                    *sample = table(channel)[usize::from(*sample)];
                }
            }
            Samples::Colours(colours) => {
                for pixel in samples.chunks_exact_mut(colours.len()) {
                    for (sample, &channel) in pixel.iter_mut().zip(colours) {
                        if channel < 3 {
                            *sample = table(channel)[usize::from(*sample)];
                        }
                    }
                }
            }
            Samples::Yuv422 { luma_first } => {
                let luma = samples.iter_mut().skip(usize::from(!luma_first)).step_by(2);
                for sample in luma {
                    *sample = table(0)[usize::from(*sample)];
                }
            }
        }
        self.format.pack(&samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gain_of_six_decibels_doubles_and_saturates() {
        assert!(Tone::new(&Analog::default(), PixelFormat::Mono8).is_none());
        let analog = Analog { gain_db: [6.0206, 0.0, 0.0, 0.0], ..Analog::default() };
        let tone = Tone::new(&analog, PixelFormat::Mono8).unwrap();
        let table = tone.byte_table().unwrap();
        assert_eq!([table[0], table[10], table[100], table[200]], [0, 20, 200, 255]);
        let tone = Tone::new(&analog, PixelFormat::Mono12p).unwrap();
        let image = PixelFormat::Mono12p.pack(&[0, 100, 2000, 4000]);
        assert_eq!(PixelFormat::Mono12p.unpack(&tone.apply(&image, 4)), [0, 200, 4000, 4095]);
    }

    #[test]
    fn a_colour_has_its_own_gain() {
        let analog = Analog { gain_db: [0.0, 6.0206, 0.0, 0.0], ..Analog::default() };
        let tone = Tone::new(&analog, PixelFormat::BGR8).unwrap();
        assert_eq!(tone.apply(&[10, 20, 30, 1, 2, 200], 2), [10, 20, 60, 1, 2, 255]);
        let tone = Tone::new(&analog, PixelFormat::BayerGR8).unwrap();
        assert_eq!(tone.apply(&[10, 20, 30, 40], 2), [10, 40, 30, 40]);
    }

    #[test]
    fn the_look_up_table_comes_behind_gain_and_black_level() {
        let inverse = std::array::from_fn(|level| 255 - level as u8);
        let analog =
            Analog { black_level: 5.0, lut_enabled: true, lut: inverse, ..Analog::default() };
        let tone = Tone::new(&analog, PixelFormat::Mono8).unwrap();
        let table = tone.byte_table().unwrap();
        assert_eq!([table[0], table[10], table[255]], [250, 240, 0]);
        let tone = Tone::new(&analog, PixelFormat::YUV422_8).unwrap();
        assert_eq!(tone.apply(&[0, 128, 10, 77], 2), [250, 128, 240, 77]);
    }
}
