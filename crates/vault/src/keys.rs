//! Tenants', users' and pairs' keys: rows wrapped by the key above, opened for one use.

use crate::Fault;
use crate::journal::{self, Journal, Records};
use crate::life::{Change, changed};
use crate::rows::{PERIOD_BITS, Row, State, period};
use crate::stood::Stood;
use crate::sums::{Chain, Contents, Form, Misfit};
use crate::tip::Tip;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use terms::{TenantId, UserId};
use unseal::{
    Class, Pair, PublicKey, RootKey, Secret, SecretsKey, StatementKey, Suite, TenantKey, UserKey,
};
use wire::vault::BackupEpoch;
use zeroize::Zeroizing;

/// The first epoch of a tenant's key.
const TENANT_EPOCH: u32 = 1;
/// The first epoch of key backups.
const BACKUP_EPOCH: u32 = 1;
/// Keys for the sums of records: those of this store, and those of who stood behind an address.
const SUMS: &str = "records of the vault";
const SUMS_OF_STOOD: &str = "records of who stood";

/// What was made, to be recorded.
pub(crate) struct Made {
    pub what: &'static str,
    pub epoch: u64,
}

/// The whole store.
pub(crate) struct Keys {
    pub(crate) root: RootKey,
    pub statement: StatementKey,
    pub secrets: SecretsKey,
    pub(crate) journal: Journal,
    pub state: State,
    /// Of pairs that are made from now on.
    pub suite: Suite,
    /// Pairs of mail on its way that are in use: what was agreed with its senders lies in them.
    /// With the first change of any key they are gone.
    pub(crate) transit_pairs: RefCell<HashMap<(TenantId, u32), Arc<Pair>>>,
    /// `None`: the records have no sums yet.
    tip: Option<Tip>,
    /// What was found of these files that somebody must know.
    pub amiss: Vec<String>,
}

impl Keys {
    pub fn open(folder: &Path, mut root: RootKey, now_ms: u64) -> Result<Self, Fault> {
        let path = folder.join("keys");
        let (mut journal, contents) = Journal::open(&path)?;
        let of_root = contents.rows().filter(|row| Row::is_of_root(row));
        take_up(&mut root, &State::of_all(of_root)?)?;
        if contents.head.is_some() {
            root = root.with_sums();
        }
        let key = SecretsKey::of(&root, SUMS).map_err(Fault::Key)?;
        let (state, chain) = read(&contents, key)?;
        let mut believed = None;
        if let Some(chain) = chain {
            let chain = chain.map_err(|misfit| journal::fault(&path, misfit))?;
            weigh_loose(&contents, &state).map_err(|misfit| journal::fault(&path, misfit))?;
            believed = Some(Tip::open(folder, &contents, &chain));
            journal.go_on(chain);
        }
        prove(&root, &state)?;
        let (tip, amiss) = believed.map_or((None, Vec::new()), |(tip, told)| (Some(tip), told));
        let mut keys = Self {
            statement: StatementKey::new(&root).map_err(Fault::Key)?,
            secrets: SecretsKey::new(&root).map_err(Fault::Key)?,
            root,
            journal,
            state,
            suite: Suite::P256,
            transit_pairs: RefCell::default(),
            tip,
            amiss,
        };
        keys.settle(folder, contents)?;
        if keys.state.backup_epochs.is_empty() {
            let (epoch, started_ms) = (BACKUP_EPOCH, now_ms);
            let first = BackupEpoch { epoch, started_ms, ended_ms: None, destroyed_ms: None };
            keys.keep(vec![Row::BackupEpoch(first)])?;
        }
        Ok(keys)
    }

    /// A new file has sums from its first record on. What was done to one without the root is
    /// weighed by now, and all of it is written anew.
    fn settle(&mut self, folder: &Path, contents: Contents) -> Result<(), Fault> {
        if contents.is_empty() {
            self.root = self.root.with_sums();
            let key = SecretsKey::of(&self.root, SUMS).map_err(Fault::Key)?;
            self.journal.take_sums(&Records::new(), key)?;
            self.tip = self.journal.chain().map(|chain| Tip::begin(folder, chain));
            return Ok(());
        }
        if !contents.is_loose() {
            return Ok(());
        }
        let gone = contents.records.iter().filter(|one| one.form == Form::Emptied).count();
        if gone > 0 {
            self.amiss.push(format!(
                "{gone} keys were taken out of `vault/keys` while no vault ran, as a restore does \
                 that destroys again what was destroyed"
            ));
        }
        self.journal.rewrite(&contents.into_rows())?;
        self.keep_tip(None, None)
    }

    /// Whether these records have no sums yet.
    pub fn is_plain(&self) -> bool {
        self.journal.chain().is_none()
    }

    /// Gives every record a sum, once it is known that nothing was forgotten (`older`): tenants'
    /// keys are wrapped under another name, so that they open in no plain copy.
    pub fn take_sums(&mut self, folder: &Path, noted: Row) -> Result<(), Fault> {
        let root = self.root.with_sums();
        let rows = vec![noted, Row::Summed { entry: None }];
        let (records, _) = changed(self.journal.records()?, rows, |row| match row {
            Row::Tenant { tenant, epoch, stored } => {
                let stored = Zeroizing::new(stored);
                let wrapped = self.root.rewrap_tenant(&root, tenant, epoch, &stored);
                let stored = wrapped.map_err(Fault::Key)?;
                Ok(Change::To(Row::Tenant { tenant, epoch, stored }))
            }
            _ => Ok(Change::Not),
        })?;
        let (state, key) = (State::of(&records)?, SecretsKey::of(&root, SUMS));
        self.transit_pairs.get_mut().clear();
        self.journal.take_sums(&records, key.map_err(Fault::Key)?)?;
        (self.state, self.root) = (state, root);
        self.tip = self.journal.chain().map(|chain| Tip::begin(folder, chain));
        self.keep_tip(None, None)
    }

    /// Who stood behind an address, its records with sums as soon as these have them.
    pub fn open_stood(&mut self, folder: &Path) -> Result<Stood, Fault> {
        let path = folder.join("stood");
        let (mut journal, contents) = Journal::open(&path)?;
        let has_sums = contents.head.is_some();
        let loose = contents.records.iter().find(|record| record.form != Form::Whole);
        let must_have = self.state.stood_has_sums && !has_sums && !contents.is_empty();
        if let Some(at) = loose.map(|record| record.at).or(must_have.then_some(0)) {
            return Err(journal::fault(&path, Misfit::Forged { at }));
        }
        if has_sums {
            journal.believe(&contents, self.key_of_stood()?)?;
        }
        let mut stood = Stood::of(self.standing()?, journal, &contents)?;
        if !has_sums && !self.is_plain() {
            let gone = "`vault/stood` is gone, which says who stood behind an address: somebody \
                        removed it, and first words are believed again";
            self.amiss.extend(self.state.stood_has_sums.then(|| gone.to_owned()));
            self.take_sums_of(&mut stood)?;
            return Ok(stood);
        }
        if let Some((tip, chain)) = self.tip.as_ref().zip(stood.chain()) {
            self.amiss.extend(tip.misfit_of_stood(&contents, chain));
        }
        Ok(stood)
    }

    pub fn take_sums_of(&mut self, stood: &mut Stood) -> Result<(), Fault> {
        stood.take_sums(self.key_of_stood()?)?;
        match self.state.stood_has_sums {
            true => Ok(()),
            false => self.keep(vec![Row::Stood]),
        }
    }

    fn key_of_stood(&self) -> Result<SecretsKey, Fault> {
        SecretsKey::of(&self.root, SUMS_OF_STOOD).map_err(Fault::Key)
    }

    /// Writes down how far these files have come. `stood`, `sighted`: what is known of them.
    pub fn keep_tip(&mut self, stood: Option<&Stood>, sighted: Option<u64>) -> Result<(), Fault> {
        let chains = self.tip.as_mut().zip(self.journal.chain());
        chains.map_or(Ok(()), |(tip, chain)| tip.keep(chain, stood.and_then(Stood::chain), sighted))
    }

    pub fn keep_tip_if_due(&mut self, stood: &Stood, sighted: Option<u64>) {
        if let Some((tip, chain)) = self.tip.as_mut().zip(self.journal.chain()) {
            tip.keep_if_due(chain, stood.chain(), sighted);
        }
    }

    pub fn keep(&mut self, rows: Vec<Row>) -> Result<(), Fault> {
        self.transit_pairs.get_mut().clear();
        let records: Option<Vec<_>> = rows.iter().map(Row::write).collect();
        self.journal.append(&records.ok_or(Fault::Torn { at: 0 })?)?;
        rows.into_iter().try_for_each(|row| self.state.enter(row)).ok_or(Fault::Torn { at: 0 })
    }

    /// Puts other rows in the place of all, on disk and in memory.
    pub fn replace(&mut self, records: &Records, root: Option<RootKey>) -> Result<(), Fault> {
        self.transit_pairs.get_mut().clear();
        let state = State::of(records)?;
        self.journal.rewrite(records)?;
        self.state = state;
        if let Some(root) = root {
            self.root = root;
        }
        Ok(())
    }

    /// Makes a tenant's key unless it is there; what was made is to be recorded. `None`: it was
    /// shredded, and does not come back.
    pub fn make_tenant(&mut self, tenant: TenantId) -> Result<Option<Vec<Made>>, Fault> {
        if self.state.shredded.contains_key(&(tenant, None)) {
            return Ok(None);
        }
        if self.state.tenants.contains_key(&tenant) {
            return Ok(Some(Vec::new()));
        }
        let (_, stored) = self.root.make_tenant(tenant, TENANT_EPOCH).map_err(Fault::Key)?;
        self.keep(vec![Row::Tenant { tenant, epoch: TENANT_EPOCH, stored }])?;
        Ok(Some(vec![Made { what: "tenant", epoch: u64::from(TENANT_EPOCH) }]))
    }

    /// Makes a user's key and first pairs unless they are there. `None`: no such tenant, or it is
    /// sealed, or the user was shredded.
    pub fn make_user(
        &mut self,
        tenant: TenantId,
        user: UserId,
        month: u32,
    ) -> Result<Option<Vec<Made>>, Fault> {
        if self.state.users.contains_key(&(tenant, user)) {
            return Ok(Some(Vec::new()));
        }
        if self.state.is_shredded(tenant, user) || !self.has(tenant) {
            return Ok(None);
        }
        let (user_key, stored) = self.tenant_key(tenant)?.make_user(user).map_err(Fault::Key)?;
        let mut rows = vec![Row::User { tenant, user, stored }];
        let mut made = vec![Made { what: "user", epoch: 0 }];
        for class in [Class::Summary, Class::Body] {
            let place = (tenant, user, class, period(class, month));
            let (row, _) = pair_row(&user_key, self.suite, place)?;
            made.push(made_pair(class, place.3));
            rows.push(row);
        }
        self.keep(rows)?;
        Ok(Some(made))
    }

    /// The public key that mail is sealed to in `month` (year × 100 + month), made if due.
    /// `None`: no such user.
    pub fn current(
        &mut self,
        tenant: TenantId,
        user: UserId,
        class: Class,
        month: u32,
    ) -> Result<Option<(PublicKey, Option<Made>)>, Fault> {
        let Some(newest) = self.state.newest(tenant, user, class) else {
            return Ok(None);
        };
        let (period, last) = (period(class, month), newest.public.clone());
        // Neither a clock that jumped back nor a sealed tenant stops mail: the last pair serves.
        if newest.age().0 >= period || !self.has(tenant) {
            return Ok(Some((last, None)));
        }
        let user_key = self.user_key(tenant, user).ok_or(Fault::Torn { at: 0 })?;
        let (row, public) = pair_row(&user_key, self.suite, (tenant, user, class, period))?;
        Ok(Some(match self.keep(vec![row]) {
            Ok(()) => (public, Some(made_pair(class, period))),
            // Nor does a full disk.
            Err(_) => (last, None),
        }))
    }

    /// A further pair of the period, by which what is sealed from now on does not open with the
    /// one before.
    pub fn next_pair(
        &self,
        tenant: TenantId,
        user: UserId,
        class: Class,
        month: u32,
    ) -> Result<Option<Row>, Fault> {
        let Some((newest, user_key)) =
            self.state.newest(tenant, user, class).zip(self.user_key(tenant, user))
        else {
            return Ok(None);
        };
        let (last, generation) = newest.age();
        let period = period(class, month).max(last);
        let epoch = if last == period { generation + 1 } else { 0 } << PERIOD_BITS | period;
        pair_row(&user_key, self.suite, (tenant, user, class, epoch)).map(|(row, _)| Some(row))
    }

    /// Whether mail may be sealed to `public` for this user now: it is the vault's own last pair.
    pub fn knows(&self, tenant: TenantId, user: UserId, class: Class, public: &PublicKey) -> bool {
        self.state.newest(tenant, user, class).is_some_and(|row| row.public == *public)
    }

    /// The private half, for one release. `None`: no such pair, or its row was touched.
    pub fn pair(&self, tenant: TenantId, user: UserId, class: Class, epoch: u32) -> Option<Pair> {
        let row = self.state.users.get(&(tenant, user))?;
        // The newest first: it is the one asked for most.
        let mut pairs = row.pairs.iter().rev();
        let row = pairs.find(|pair| pair.class == class && pair.public.epoch() == epoch)?;
        self.user_key(tenant, user)?.open_pair(class, &row.public, &row.stored).ok()
    }

    /// For hashes of who stands behind an address.
    pub fn standing(&self) -> Result<SecretsKey, Fault> {
        SecretsKey::of(&self.root, "who stands behind an address").map_err(Fault::Key)
    }

    /// A keeper's own key, derived from the root: nothing to lose but the root.
    pub fn derived(&self, purpose: &str) -> Result<Secret, Fault> {
        self.root.derive(purpose, &[]).map_err(Fault::Key)
    }

    pub fn has(&self, tenant: TenantId) -> bool {
        self.state.tenants.get(&tenant).is_some_and(|row| row.stored.is_some())
    }

    /// A fault if it is sealed or unknown.
    pub fn tenant_key(&self, tenant: TenantId) -> Result<TenantKey, Fault> {
        tenant_key(&self.root, &self.state, tenant)
    }

    pub fn user_key(&self, tenant: TenantId, user: UserId) -> Option<UserKey> {
        let row = self.state.users.get(&(tenant, user))?;
        self.tenant_key(tenant).ok()?.open_user(user, &row.stored).ok()
    }
}

/// What the rows come to, while another thread looks whether every sum fits: a start of a large
/// house waits for both.
fn read(
    contents: &Contents,
    key: SecretsKey,
) -> Result<(State, Option<Result<Chain, Misfit>>), Fault> {
    if contents.head.is_none() {
        return State::of_all(contents.rows()).map(|state| (state, None));
    }
    let (state, chain) = std::thread::scope(|scope| {
        let again = key.again();
        let thread = std::thread::Builder::new();
        let believed = thread.spawn_scoped(scope, move || contents.believed(again)).ok();
        let state = State::of_all(contents.rows());
        let believed = believed.and_then(|believed| believed.join().ok());
        (state, believed.unwrap_or_else(|| contents.believed(key)))
    });
    // Of rows that somebody changed it is said that they were, whatever they come to.
    match (state, chain) {
        (Ok(state), chain) => Ok((state, Some(chain))),
        (Err(fault), Ok(_)) => Err(fault),
        (Err(_), Err(misfit)) => Ok((State::default(), Some(Err(misfit)))),
    }
}

fn tenant_key(root: &RootKey, state: &State, tenant: TenantId) -> Result<TenantKey, Fault> {
    let row = state.tenants.get(&tenant);
    let found = row.and_then(|row| Some((row.epoch, row.stored.as_ref()?)));
    let (epoch, stored) = found.ok_or(Fault::Torn { at: 0 })?;
    root.open_tenant(tenant, epoch, stored).map_err(Fault::Key)
}

/// Another credential than the one that made the rows is noticed at once, not at first use.
/// Whether anything was there to prove it.
fn prove(root: &RootKey, state: &State) -> Result<bool, Fault> {
    match state.tenants.iter().find(|(_, row)| row.stored.is_some()) {
        Some((tenant, _)) => tenant_key(root, state, *tenant).map(|_| true),
        None => Ok(state.root.is_some()),
    }
}

/// Whether a credential opens the store of these records: `None` if nothing in it can tell.
pub fn opens(contents: &Contents, mut root: RootKey) -> Result<Option<bool>, Fault> {
    let state = State::of_all(contents.rows())?;
    if take_up(&mut root, &state).is_err() {
        return Ok(Some(false));
    }
    if contents.head.is_some() {
        root = root.with_sums();
    }
    Ok(match prove(&root, &state) {
        Ok(is_proven) => is_proven.then_some(true),
        Err(_) => Some(false),
    })
}

/// What was done to the store without the root (`offline`): keys that were destroyed are taken out
/// of it, and that they were, or which key an epoch has, is added. Nothing else may be missing, or
/// come without a sum.
fn weigh_loose(contents: &Contents, state: &State) -> Result<(), Misfit> {
    let mut known = None;
    for record in contents.records.iter() {
        let may_be = match (record.form, record.whose_key()) {
            (Form::Whole, _) => true,
            (Form::Emptied, Some((tenant, user))) => {
                state.is_shredded(TenantId(tenant), UserId(user))
            }
            (Form::Emptied, None) => record.was_sign_in(),
            (Form::Unsigned, _) => match Row::read(&record.octets) {
                Some(Row::Shredded { tenant, user: None, .. }) => {
                    !state.tenants.contains_key(&tenant)
                }
                Some(Row::Shredded { tenant, user: Some(user), .. }) => {
                    !state.users.contains_key(&(tenant, user))
                }
                Some(Row::BackupKey { epoch, .. }) => {
                    known.get_or_insert_with(|| noted_epochs(contents)).insert(epoch)
                }
                _ => false,
            },
        };
        if !may_be {
            return Err(Misfit::Forged { at: record.at });
        }
    }
    Ok(())
}

/// Epochs whose key a vault knows of.
fn noted_epochs(contents: &Contents) -> BTreeSet<u32> {
    let signed = contents.records.iter().filter(|record| record.form == Form::Whole);
    let epoch = |record: &crate::sums::Stored| match Row::read(&record.octets) {
        Some(Row::BackupKey { epoch, .. }) => Some(epoch),
        _ => None,
    };
    signed.filter_map(epoch).collect()
}

/// The rotated root, and what an earlier credential gave.
fn take_up(root: &mut RootKey, state: &State) -> Result<(), Fault> {
    if let Some((epoch, stored)) = &state.root {
        root.take_rotated(*epoch, stored).map_err(Fault::Key)?;
    }
    match &state.derived {
        Some(stored) => root.take_derived(stored).map_err(Fault::Key),
        None => Ok(()),
    }
}

fn pair_row(
    user_key: &UserKey,
    suite: Suite,
    (tenant, user, class, epoch): (TenantId, UserId, Class, u32),
) -> Result<(Row, PublicKey), Fault> {
    let (public, stored) = user_key.make_pair(class, suite, epoch).map_err(Fault::Key)?;
    let (class, encoded) = (class.byte(), public.encode());
    Ok((Row::Pair { tenant, user, class, public: encoded, stored }, public))
}

fn made_pair(class: Class, epoch: u32) -> Made {
    let what = match class {
        Class::Summary => "summary-pair",
        Class::Body => "body-pair",
    };
    Made { what, epoch: u64::from(epoch) }
}
