//! Ids that many rows share, by a small number.

use std::collections::HashMap;

/// Ids that many rows share, and how many do.
pub struct Shared<T> {
    rows: Vec<(T, u32)>,
    places: HashMap<T, u32>,
    free: Vec<u32>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), places: HashMap::new(), free: Vec::new() }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Shared<T> {
    pub fn take(&mut self, id: T) -> u32 {
        if let Some(place) = self.places.get(&id).copied() {
            if let Some((_, count)) = self.rows.get_mut(place as usize) {
                *count += 1;
            }
            return place;
        }
        let place = match self.free.pop() {
            Some(place) => place,
            None => u32::try_from(self.rows.len()).unwrap_or(u32::MAX),
        };
        match self.rows.get_mut(place as usize) {
            Some(row) => *row = (id, 1),
            None => self.rows.push((id, 1)),
        }
        self.places.insert(id, place);
        place
    }

    /// Whether that was the last: the number is anybody's now.
    pub fn give(&mut self, place: u32) -> bool {
        let Some((id, count)) = self.rows.get_mut(place as usize) else { return false };
        *count = count.saturating_sub(1);
        let is_last = *count == 0;
        if is_last {
            self.places.remove(id);
            self.free.push(place);
        }
        is_last
    }

    pub fn of(&self, place: u32) -> Option<T> {
        self.rows.get(place as usize).map(|(id, _)| *id)
    }

    pub fn find(&self, id: &T) -> Option<u32> {
        self.places.get(id).copied()
    }

    pub fn len(&self) -> usize {
        self.places.len()
    }
}
