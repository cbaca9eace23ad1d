//! Acts upon keys, as they are asked for: intended, recorded, done, answered, in this order.

use crate::Fault;
use crate::record::Deed;
use crate::vault::{Asker, Then, Vault};
use std::collections::BTreeMap;
use terms::TenantId;
use wire::vault::{Acted, Freeze, FromAdmin, KeyAct, TenantKeys, ToAdmin};

/// Tenants in one answer.
const LISTED: usize = 20_000;

/// Whoever asks has no say in it: an admin that was taken over is not two persons.
fn out_of_turn(act: &KeyAct) -> ToAdmin {
    ToAdmin::Refused {
        expected: "an act that is this asker's to bring".to_owned(),
        found: act.word().to_owned(),
        hint: "two persons decide by identity's word, the end of a contract by the directory's"
            .to_owned(),
    }
}

impl Vault {
    pub(crate) fn admin(&mut self, asker: Asker, question: FromAdmin) {
        let answer = match question {
            FromAdmin::Status => self.status(),
            FromAdmin::Keys { tenant } => ToAdmin::Keys(self.list_keys(tenant)),
            FromAdmin::BackupEpochs => {
                ToAdmin::BackupEpochs(self.keys.state.backup_epochs.values().copied().collect())
            }
            FromAdmin::SetCredential { tenant, credential } => {
                return self.set_credential(asker, tenant, credential);
            }
            FromAdmin::ForgetCredentials(tenant) => return self.forget_credentials(asker, tenant),
            FromAdmin::Credentials(tenant) => self.list_credentials(tenant),
            FromAdmin::Act(act) if act.needs_two() => out_of_turn(&act),
            FromAdmin::Act(act) => return self.act(Some(asker), act),
        };
        self.answer(asker, &answer);
    }

    /// What two persons agreed to, by identity's word. Keys are destroyed at the directory's alone.
    pub(crate) fn carry(&mut self, asker: Asker, act: KeyAct) {
        let is_shredding = matches!(act, KeyAct::ShredTenant { .. } | KeyAct::ShredUser { .. });
        match act.needs_two() && !is_shredding {
            true => self.act(Some(asker), act),
            false => self.answer(asker, &out_of_turn(&act)),
        }
    }

    /// Takes an act up: also for the sentinel, which waits for no answer.
    pub(crate) fn act(&mut self, asker: Option<Asker>, act: KeyAct) {
        if !self.is_compared() {
            if let KeyAct::Freeze(freeze) = &act
                && freeze.on
            {
                self.stop(freeze);
            }
            return self.wait_for_past(asker, act);
        }
        if let Some((expected, found, hint)) = self.keys.objection(&act) {
            let (expected, hint) = (expected.to_owned(), hint.to_owned());
            return self.answer_act(asker, &ToAdmin::Refused { expected, found, hint });
        }
        if let KeyAct::Freeze(freeze) = &act
            && freeze.on
        {
            self.stop(freeze);
        }
        match self.keys.intend(&act) {
            Ok(number) => self.record_act(asker, number, &act),
            Err(fault) => {
                self.alarm(fault.to_string());
                self.answer_act(asker, &ToAdmin::EvidenceAway);
            }
        }
    }

    /// What the last start intended and had not done: recorded (again, if need be), and done.
    pub(crate) fn resume(&mut self) {
        self.unfinished = false;
        self.record_sums();
        for (number, act) in self.keys.state.intents.clone() {
            self.record_act(None, number, &act);
        }
    }

    fn record_act(&mut self, asker: Option<Asker>, number: u64, act: &KeyAct) {
        for (place, body) in self.keys.entries(act).into_iter().enumerate() {
            let then = match place {
                0 => Then::Act { asker, number },
                _ => Then::Nothing,
            };
            self.record_lasting(Deed::Plain(body), then);
        }
    }

    /// A freeze does not wait for its record: too much is stopped rather than too little.
    fn stop(&mut self, freeze: &Freeze) {
        if let Some(instance) = freeze.instance {
            self.grants.drop_instance(instance);
            self.hands.drop_instance(instance);
        }
        if freeze.tenant.is_some() || freeze.user.is_some() {
            self.keys.state.frozen.insert((freeze.tenant, freeze.user));
            self.grants.drop_whose(freeze.tenant, freeze.user);
        }
    }

    pub(crate) fn recorded_act(&mut self, asker: Option<Asker>, number: u64, entry: u64) {
        let Some(act) = self.keys.state.intents.get(&number).cloned() else { return };
        let (at_ms, month) = (self.now_ms(), self.month());
        match self.keys.carry_out(number, &act, at_ms, month) {
            Ok(keys) => {
                self.after(&act);
                let acted = self.acted(&act, entry, self.now_ms(), keys);
                self.answer_act(asker, &ToAdmin::Acted(acted));
            }
            Err(fault) => self.fail_act(asker, &act, &fault),
        }
    }

    /// Recorded and not done: somebody must know. The next start tries again.
    fn fail_act(&mut self, asker: Option<Asker>, act: &KeyAct, fault: &Fault) {
        self.alarm(format!("recorded and not done: {act:?}: {fault}"));
        self.answer_act(asker, &ToAdmin::EvidenceAway);
    }

    pub(crate) fn after(&mut self, act: &KeyAct) {
        match act {
            KeyAct::ShredTenant { tenant } => {
                self.grants.drop_whose(Some(*tenant), None);
                self.hands.drop_tenant(*tenant);
                if let Err(fault) = self.stood.forget(*tenant) {
                    self.alarm(fault.to_string());
                }
            }
            KeyAct::SealTenant { tenant } => self.grants.drop_whose(Some(*tenant), None),
            KeyAct::ShredUser { tenant, user } => {
                self.grants.drop_whose(Some(*tenant), Some(*user));
            }
            _ => {}
        }
    }

    fn acted(&self, act: &KeyAct, entry: u64, at_ms: u64, keys: u64) -> Acted {
        let is_of_epochs = matches!(
            act,
            KeyAct::ShredTenant { .. }
                | KeyAct::ShredUser { .. }
                | KeyAct::EpochDestroyed { .. }
                | KeyAct::EpochKeyDestroyed { .. }
                | KeyAct::EpochGone { .. }
        );
        let epochs_to_destroy = match is_of_epochs {
            true => self.keys.state.epochs_to_destroy(),
            false => Vec::new(),
        };
        let is_over = is_of_epochs && epochs_to_destroy.is_empty();
        let last_openable_ms = is_over.then_some(at_ms);
        Acted { entry, at_ms, keys, last_openable_ms, epochs_to_destroy }
    }

    pub(crate) fn lost_act(&mut self, asker: Option<Asker>, number: u64) {
        if asker.is_none() {
            // Left by an earlier start, and perhaps recorded then: it is done once it can be.
            self.unfinished = true;
            return;
        }
        if let Err(fault) = self.keys.give_up(number) {
            self.alarm(fault.to_string());
        }
        self.answer_act(asker, &ToAdmin::EvidenceAway);
    }

    pub(crate) fn answer_act_away(&mut self, asker: Option<Asker>) {
        self.answer_act(asker, &ToAdmin::EvidenceAway);
    }

    fn answer_act(&mut self, asker: Option<Asker>, answer: &ToAdmin) {
        if let Some(asker) = asker {
            self.answer(asker, answer);
        }
    }

    fn list_keys(&self, of: Option<TenantId>) -> Vec<TenantKeys> {
        let state = &self.keys.state;
        let row = |tenant: TenantId, epoch: u32| TenantKeys {
            tenant,
            epoch,
            users: 0,
            pairs: 0,
            credentials: 0,
            sealed: state.sealed.contains(&tenant),
            held: state.held_of(tenant),
            shredded_ms: state.shredded.get(&(tenant, None)).copied(),
        };
        let mut listed: BTreeMap<TenantId, TenantKeys> =
            state.tenants.iter().map(|(id, has)| (*id, row(*id, has.epoch))).collect();
        let shredded = state.shredded.keys().filter(|(_, user)| user.is_none());
        listed.extend(shredded.map(|(tenant, _)| (*tenant, row(*tenant, 0))));
        for ((tenant, _), user) in &state.users {
            if let Some(row) = listed.get_mut(tenant) {
                row.users += 1;
                row.pairs += user.pairs.len() as u64;
            }
        }
        for (tenant, _) in state.transits.keys() {
            if let Some(row) = listed.get_mut(tenant) {
                row.pairs += 1;
            }
        }
        for (tenant, _) in state.credentials.keys() {
            if let Some(row) = listed.get_mut(tenant) {
                row.credentials += 1;
            }
        }
        listed
            .into_values()
            .filter(|row| of.is_none_or(|of| of == row.tenant))
            .take(LISTED)
            .collect()
    }
}
