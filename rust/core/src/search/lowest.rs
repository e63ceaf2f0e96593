//! The least of any range of numbers, in a few steps.

/// A row of numbers over which ranges are asked for their least; empty: 0 for all of them.
#[derive(Clone, Debug, Default)]
pub struct Lowest {
    /// A tree: the numbers from the middle on, above each pair the lesser.
    tree: Vec<f64>,
}

impl Lowest {
    /// Takes over `numbers`.
    pub fn fill(&mut self, numbers: impl ExactSizeIterator<Item = f64>) {
        let count = numbers.len();
        self.tree.clear();
        self.tree.resize(count, f64::INFINITY);
        self.tree.extend(numbers);
        for node in (1..count).rev() {
            self.tree[node] = self.tree[2 * node].min(self.tree[2 * node + 1]);
        }
    }

    /// The least from `first` to `last`, both counted; endless where there is none.
    #[must_use]
    pub fn between(&self, first: usize, last: usize) -> f64 {
        let count = self.tree.len() / 2;
        if count == 0 {
            return 0.0;
        }
        let (mut low, mut high) = (first + count, last + count + 1);
        let mut least = f64::INFINITY;
        while low < high {
            if low % 2 == 1 {
                least = least.min(self.tree[low]);
                low += 1;
            }
            if high % 2 == 1 {
                high -= 1;
                least = least.min(self.tree[high]);
            }
            (low, high) = (low / 2, high / 2);
        }
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_of_every_length_gives_its_least() {
        for count in 1..20 {
            let numbers: Vec<f64> = (0..count).map(|place| f64::from(place * 7 % 11)).collect();
            let mut lowest = Lowest::default();
            lowest.fill(numbers.iter().copied());
            for first in 0..numbers.len() {
                for last in first..numbers.len() {
                    let wanted = numbers[first..=last].iter().copied().fold(f64::INFINITY, f64::min);
                    assert_eq!(lowest.between(first, last), wanted);
                }
            }
        }
    }

    #[test]
    fn nothing_known_is_no_floor() {
        assert_eq!(Lowest::default().between(0, 5), 0.0);
    }
}
