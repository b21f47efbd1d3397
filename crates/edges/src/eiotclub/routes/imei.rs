//! IMEI groups and bindings: unlocking a card, adding a device to a group, binding a card to a device and freeing it.

use super::{Ask, Operation, text};
use crate::eiotclub::errors::No;
use crate::eiotclub::wire;

impl Ask<'_> {
    pub(super) async fn imei_unlock(&self) -> Result<String, No> {
        let iccid = self.fields().iccid()?;
        let (key, language) = (self.key(Operation::ImeiUnlock), self.caller.language);
        let render = move |unlocks: &i64| wire::good(language, &wire::Unlocked { imei_pool_unlock_count: *unlocks });
        Ok(text(self.door.engine.unlock_imei(self.catalogue, &self.caller.actor, key, iccid, render).await?))
    }

    pub(super) async fn plock_add_imei(&self) -> Result<String, No> {
        let what = (self.fields().imei_group()?, self.fields().imei()?);
        let (key, language) = (self.key(Operation::PlockAddImei), self.caller.language);
        let render = move |(): &()| wire::good(language, &wire::Nothing {});
        Ok(text(self.door.engine.add_imei(self.catalogue, &self.caller.actor, key, what, render).await?))
    }

    pub(super) async fn bind_device(&self) -> Result<String, No> {
        let what = (self.fields().iccid()?, self.fields().imei()?);
        let (key, language) = (self.key(Operation::BindDevice), self.caller.language);
        let render = move |(): &()| wire::good_bare(language);
        Ok(text(self.door.engine.bind_device(self.catalogue, &self.caller.actor, key, what, render).await?))
    }

    pub(super) async fn unbind_device(&self) -> Result<String, No> {
        let iccid = self.fields().iccid()?;
        let (key, language) = (self.key(Operation::UnbindDevice), self.caller.language);
        let render = move |(): &()| wire::good_bare(language);
        Ok(text(self.door.engine.unbind_device(self.catalogue, &self.caller.actor, key, iccid, render).await?))
    }
}
