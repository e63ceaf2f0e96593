//! A list of at most four items, kept in place: the search designs thousands of fabrics and allocates none.

use std::ops::Deref;

use serde::{Serialize, Serializer};

/// At most four items in order; reads as a slice and serialises as a list.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UpToFour<T> {
    items: [T; 4],
    len: usize,
}

impl<T: Copy + Default, const N: usize> From<[T; N]> for UpToFour<T> {
    fn from(given: [T; N]) -> Self {
        const { assert!(N <= 4, "at most four items") };
        let mut items = [T::default(); 4];
        items[..N].copy_from_slice(&given);
        Self { items, len: N }
    }
}

impl<T> Deref for UpToFour<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.items[..self.len]
    }
}

impl<'a, T> IntoIterator for &'a UpToFour<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Serialize> Serialize for UpToFour<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}
