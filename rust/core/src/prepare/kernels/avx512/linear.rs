//! What linear resizing looks at in a row: words of neighbouring bytes.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

use super::super::prefetch;
use super::{Avx512, Window, fetch, window};

/// Words of four bytes out of a row, sixteen at once.
#[derive(Clone, Debug)]
pub(in super::super) struct Picks {
    token: Avx512,
    groups: Vec<Spread>,
    /// Bytes of a row.
    width: usize,
}

/// Sixteen words within 256 bytes of a row.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
struct Spread {
    /// Which of the first 256 bytes each byte is, modulo 128.
    index: [u8; 64],
    /// Those that lie in the second half of them.
    far: u64,
    base: usize,
    window: Window,
}

impl Picks {
    /// For words that begin there, ascending, in rows of that many bytes. None where they lie too
    /// far apart.
    pub(in super::super) fn new(token: Avx512, starts: &[u32], width: usize) -> Option<Self> {
        let groups: Option<_> = starts
            .chunks(16)
            .map(|starts| {
                let base = *starts.first()? as usize;
                let last = *starts.last()? as usize;
                let window = Window::new(base, last + 4 - base, width)?;
                let (mut index, mut far) = ([0; 64], 0);
                for (word, &start) in starts.iter().enumerate() {
                    for byte in 0..4 {
                        let from = start as usize + byte - base;
                        index[4 * word + byte] = (from % 128) as u8;
                        far |= u64::from(from >= 128) << (4 * word + byte);
                    }
                }
                Some(Spread { index, far, base, window })
            })
            .collect();
        Some(Self { token, groups: groups?, width })
    }

    /// The words of a row.
    pub(in super::super) fn pick(&self, line: &[u8], ahead: &[u8], words: &mut [u32]) {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512vnni")]
        fn pick(groups: &[Spread], line: &[u8], ahead: &[u8], words: &mut [u32]) {
            let (chunks, _) = words.as_chunks_mut::<16>();
            for (group, words) in groups.iter().zip(chunks) {
                let Spread { index, far, base, window: of } = group;
                if let Some(ahead) = ahead.get(*base..) {
                    prefetch(&ahead[..ahead.len().min(64 * of.vectors)]);
                }
                let picked = match of.vectors {
                    1 => fetch(&window::<1>(of, line, *base), index, *far, u64::MAX),
                    2 => fetch(&window::<2>(of, line, *base), index, *far, u64::MAX),
                    3 => fetch(&window::<3>(of, line, *base), index, *far, u64::MAX),
                    _ => fetch(&window::<4>(of, line, *base), index, *far, u64::MAX),
                };
                // SAFETY: 64 bytes of a reference are written.
                unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), picked) };
            }
        }
        assert_eq!(line.len(), self.width, "a row as long as the plan's");
        let _proof = self.token;
        // SAFETY: the token proves the features.
        unsafe { pick(&self.groups, line, ahead, words) }
    }
}
