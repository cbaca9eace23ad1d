//! Places in a name, one bit each: place 0 stands before its first octet.

const BITS: usize = u64::BITS as usize;

/// A set of places.
#[derive(Clone)]
pub struct Places(Vec<u64>);

impl Places {
    /// The first place of a name of that many octets.
    pub fn first(octets: usize) -> Self {
        let mut places = Self(vec![0; octets / BITS + 1]);
        places.set(0);
        places
    }

    /// Every place that follows an octet of which `is` holds.
    pub fn after(name: &[u8], is: impl Fn(u8) -> bool) -> Self {
        let mut places = Self(vec![0; name.len() / BITS + 1]);
        for (place, octet) in (1..).zip(name) {
            if is(*octet) {
                places.set(place);
            }
        }
        places
    }

    fn set(&mut self, place: usize) {
        if let Some(word) = self.0.get_mut(place / BITS) {
            *word |= 1 << (place % BITS);
        }
    }

    pub fn holds(&self, place: usize) -> bool {
        self.0.get(place / BITS).is_some_and(|word| word >> (place % BITS) & 1 == 1)
    }

    pub fn is_none(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// One octet on, to places of `to`.
    pub fn step(&mut self, to: &Self) {
        let mut carried = 0;
        for (word, to) in self.0.iter_mut().zip(&to.0) {
            let next = *word >> (BITS - 1);
            *word = (*word << 1 | carried) & to;
            carried = next;
        }
    }

    /// On by what a wildcard stands for: `%` keeps to `within`.
    pub fn spread(&mut self, wildcard: Option<u8>, within: &Self) {
        match wildcard {
            Some(b'*') => self.fill(),
            Some(_) => self.flow(within),
            None => {}
        }
    }

    /// On to every later place. Bits beyond the name's end are never asked for.
    fn fill(&mut self) {
        let mut is_open = false;
        for word in &mut self.0 {
            *word = match (is_open, *word) {
                (true, _) => u64::MAX,
                (false, found) => found | found.wrapping_neg(),
            };
            is_open |= *word != 0;
        }
    }

    /// On through every unbroken run of places in `through`.
    fn flow(&mut self, through: &Self) {
        let mut starts = self.clone();
        starts.step(through);
        // A start added to its run carries up to the run's end and turns those bits over.
        let mut carry = false;
        let words = self.0.iter_mut().zip(&starts.0).zip(&through.0);
        for ((word, start), run) in words {
            let (sum, first) = run.overflowing_add(*start);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            carry = first || second;
            *word |= start | (run & !sum);
        }
    }
}
