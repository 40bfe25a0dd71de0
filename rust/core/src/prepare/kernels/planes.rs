//! Pixels to planes, with these instructions.

// Where there are no kernels nothing of this is ever reached.
#![cfg_attr(not(target_arch = "x86_64"), allow(unused, unreachable_code, dead_code))]

use super::super::level::Level;
use super::super::picture::planes;
#[cfg(target_arch = "x86_64")]
use super::avx512;
use super::{Instructions, Kernels, Portable, prefetch};

impl Kernels {
    /// Pixels of three or four bytes to planes of their first three, red first. What lies `ahead` is
    /// wanted next.
    pub(in super::super) fn split_pixels<L: Level>(
        self,
        pixels: &[u8],
        ahead: &[u8],
        each: usize,
        red_first: bool,
        out: &mut [L],
    ) {
        let [a, b, c] = planes(out, pixels.len() / each);
        let planes = if red_first { [a, b, c] } else { [c, b, a] };
        match each {
            3 => self.split::<L, 3>(pixels, ahead, planes),
            _ => self.split::<L, 4>(pixels, ahead, planes),
        }
    }

    fn split<L: Level, const N: usize>(self, pixels: &[u8], ahead: &[u8], planes: [&mut [L]; 3]) {
        let [mut a, mut b, mut c] = planes;
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        if let Instructions::Avx512(token) = self.0
            && N == 3
            && let (Some(a), Some(b), Some(c)) = (L::bytes_mut(a), L::bytes_mut(b), L::bytes_mut(c))
        {
            done = avx512::split_threes(token, pixels, ahead, [a, b, c]);
        } else {
            prefetch(&ahead[..ahead.len().min(pixels.len())]);
        }
        (a, b, c) = (&mut a[done..], &mut b[done..], &mut c[done..]);
        let (pixels, _) = pixels.as_chunks::<N>();
        self.run(Split { pixels: &pixels[done..], planes: [a, b, c] });
    }
}

struct Split<'a, L, const N: usize> {
    pixels: &'a [[u8; N]],
    planes: [&'a mut [L]; 3],
}

impl<L: Level, const N: usize> Portable for Split<'_, L, N> {
    #[inline(always)]
    fn run(self) {
        let [a, b, c] = self.planes;
        let count = self.pixels.len();
        let (a, b, c) = (&mut a[..count], &mut b[..count], &mut c[..count]);
        for (at, pixel) in self.pixels.iter().enumerate() {
            a[at] = L::of(pixel[0].into());
            b[at] = L::of(pixel[1].into());
            c[at] = L::of(pixel[2].into());
        }
    }
}
