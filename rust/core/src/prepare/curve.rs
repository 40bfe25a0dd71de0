//! Black level, white balance and gamma: what a camera would do to its samples, as one table a
//! colour. Samples pass through it as they are read, before demosaicing, so that it costs no pass.

use std::sync::Arc;

use super::level::Level;
use super::spec::{Spec, invalid};
use crate::error::Result;
use crate::frame::{Bayer, Content, PixelFormat};

/// The curve of each colour: red, green, blue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Curves {
    black_level: f64,
    gains: [f64; 3],
    gamma: f64,
}

impl Curves {
    /// Of a spec that passed its check; `None` where it changes nothing.
    pub(super) fn of(spec: &Spec, format: PixelFormat) -> Result<Option<Self>> {
        let gains = spec.white_balance.unwrap_or([1.0; 3]);
        let curves = Self { black_level: spec.black_level, gains, gamma: spec.gamma };
        if gains != [1.0; 3] && format.content() == Some(Content::Mono) {
            let problem = format!("{format} has no colours to balance");
            return Err(invalid("white_balance", problem));
        }
        if let Some((bits, _)) = format.samples()
            && spec.black_level >= white(bits)
        {
            let problem = format!("{}: {format} ends at {}", spec.black_level, white(bits));
            return Err(invalid("black_level", problem));
        }
        let changes = spec.black_level != 0.0 || gains != [1.0; 3] || spec.gamma != 1.0;
        Ok(changes.then_some(curves))
    }

    /// For samples of that many bits, of which `shift` are lost on the way to levels.
    pub(super) fn tables<L: Level>(&self, bits: u32, shift: u32) -> [Box<[L]>; 3] {
        let (white, brightest) = (white(bits), white(bits - shift));
        self.gains.map(|gain| {
            (0..1_u32 << bits)
                .map(|sample| {
                    let above = (f64::from(sample) - self.black_level) / (white - self.black_level);
                    let share = (above * gain).clamp(0.0, 1.0).powf(self.gamma);
                    L::of((share * brightest).round() as u32)
                })
                .collect()
        })
    }
}

/// The greatest number of so many bits.
pub(super) fn white(bits: u32) -> f64 {
    f64::from((1_u32 << bits) - 1)
}

/// The tables of a mosaic's cell: even and odd columns of even and odd rows. A monochrome picture
/// has that of green everywhere.
pub(super) fn in_cells<L>(content: Content, tables: [Box<[L]>; 3]) -> [[Arc<[L]>; 2]; 2] {
    let [red, green, blue] = tables.map(Arc::from);
    let cell = |tables: [&Arc<[L]>; 4]| {
        let [a, b, c, d] = tables.map(Arc::clone);
        [[a, b], [c, d]]
    };
    match content {
        Content::Bayer(Bayer::RG) => cell([&red, &green, &green, &blue]),
        Content::Bayer(Bayer::GR) => cell([&green, &red, &blue, &green]),
        Content::Bayer(Bayer::GB) => cell([&green, &blue, &red, &green]),
        Content::Bayer(Bayer::BG) => cell([&blue, &green, &green, &red]),
        _ => cell([&green; 4]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::spec::Resize;
    use super::*;

    fn curves(black_level: f64, white_balance: [f64; 3], gamma: f64) -> Curves {
        Curves { black_level, gains: white_balance, gamma }
    }

    #[test]
    fn a_spec_that_says_nothing_has_no_tables() {
        let spec = Spec::new(Resize::Linear, [4, 4]);
        assert!(Curves::of(&spec, PixelFormat::BAYER_RG8).unwrap().is_none());
        let balanced = Spec { white_balance: Some([2.0, 1.0, 1.5]), ..spec.clone() };
        assert!(Curves::of(&balanced, PixelFormat::BAYER_RG8).unwrap().is_some());
        assert!(Curves::of(&balanced, PixelFormat::MONO8).is_err());
        let black = Spec { black_level: 255.0, ..spec };
        assert!(Curves::of(&black, PixelFormat::MONO8).is_err());
        assert!(Curves::of(&black, PixelFormat::MONO10).is_ok());
    }

    #[test]
    fn black_goes_to_zero_and_white_stays() {
        let [red, green, _] = curves(16.0, [2.0, 1.0, 1.0], 1.0).tables::<u8>(8, 0);
        assert_eq!([green[0], green[16], green[255]], [0, 0, 255]);
        assert_eq!([red[16], red[76], red[136], red[255]], [0, 128, 255, 255]);
    }

    #[test]
    fn gamma_spreads_the_darks_of_deep_samples() {
        let [table, ..] = curves(0.0, [1.0; 3], 0.5).tables::<u8>(12, 4);
        assert_eq!(table.len(), 4096);
        // 255 * sqrt(16 / 4095)
        assert_eq!([table[0], table[16], table[4095]], [0, 16, 255]);
        let [full, ..] = curves(0.0, [1.0; 3], 0.5).tables::<u16>(12, 0);
        assert_eq!([full[0], full[16], full[4095]], [0, 256, 4095]);
    }

    #[test]
    fn every_cell_finds_its_colour() {
        let tables = || [Box::from([1]), Box::from([2]), Box::from([3])];
        for (bayer, cell) in [
            (Bayer::RG, [1, 2, 2, 3]),
            (Bayer::GR, [2, 1, 3, 2]),
            (Bayer::GB, [2, 3, 1, 2]),
            (Bayer::BG, [3, 2, 2, 1]),
        ] {
            let [[a, b], [c, d]] = in_cells(Content::Bayer(bayer), tables());
            assert_eq!([a[0], b[0], c[0], d[0]], cell, "{bayer:?}");
        }
    }
}
