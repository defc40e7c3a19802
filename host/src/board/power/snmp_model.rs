//! Power switches whose objects are known.
//!
//! | model | MIB | order | state |
//! |---|---|---|---|
//! | `apc-masterswitch` | PowerNet-MIB | `sPDUOutletCtl` | the same |
//! | `apc-rpdu` | PowerNet-MIB | `rPDUOutletControlOutletCommand` | `rPDUOutletStatusOutletState` |
//! | `apc-rpdu2` | PowerNet-MIB | `rPDU2OutletSwitchedControlCommand` | `rPDU2OutletSwitchedStatusState` |
//! | `cyberpower` | CPS-MIB | `ePDUOutletControlOutletCommand` | `ePDUOutletStatusOutletState` |
//! | `eaton-epdu` | EATON-EPDU-MIB | `outletControlOnCmd`, `outletControlOffCmd`, `outletControlRebootCmd` | `outletControlStatus` |
//! | `raritan-pdu2` | PDU2-MIB | `switchingOperation` | `outletSwitchingState` |
//! | `servertech-sentry3` | Sentry3-MIB | `outletControlAction` | `outletStatus` |
//!
//! The numbers are those of the vendors' MIBs; Network UPS Tools, labgrid and MAAS use the same. None was tried on a device.

use async_snmp::Oid;

use super::{Outlet, OutletState, SetValue};

/// The objects of a kind of power switch.
#[derive(Debug)]
pub(crate) struct Model {
    /// What the bench file calls it.
    pub(crate) name: &'static str,
    /// What stands between the objects and the number of the outlet, where the bench file gives nothing but that: the first
    /// unit of a chain.
    unit: &'static [u32],
    on: Order,
    off: Order,
    reset: Order,
    state: &'static [u32],
    is_on: &'static [i32],
    is_off: &'static [i32],
}

/// A column of the switch's table, and what is written there.
#[derive(Debug)]
struct Order(&'static [u32], i32);

const APC_MASTERSWITCH: &[u32] = &[1, 3, 6, 1, 4, 1, 318, 1, 1, 4, 4, 2, 1, 3];
const APC_RPDU: &[u32] = &[1, 3, 6, 1, 4, 1, 318, 1, 1, 12, 3, 3, 1, 1, 4];
const APC_RPDU2: &[u32] = &[1, 3, 6, 1, 4, 1, 318, 1, 1, 26, 9, 2, 4, 1, 5];
const CYBERPOWER: &[u32] = &[1, 3, 6, 1, 4, 1, 3808, 1, 1, 3, 3, 3, 1, 1, 4];
const RARITAN: &[u32] = &[1, 3, 6, 1, 4, 1, 13742, 6, 4, 1, 2, 1, 2];
const SENTRY3: &[u32] = &[1, 3, 6, 1, 4, 1, 1718, 3, 2, 3, 1, 11];

/// The power switches that are known, by name.
pub(crate) const MODELS: [Model; 7] = [
    Model {
        name: "apc-masterswitch",
        unit: &[],
        on: Order(APC_MASTERSWITCH, 1),
        off: Order(APC_MASTERSWITCH, 2),
        reset: Order(APC_MASTERSWITCH, 3),
        state: APC_MASTERSWITCH,
        is_on: &[1],
        is_off: &[2],
    },
    Model {
        name: "apc-rpdu",
        unit: &[],
        on: Order(APC_RPDU, 1),
        off: Order(APC_RPDU, 2),
        reset: Order(APC_RPDU, 3),
        state: &[1, 3, 6, 1, 4, 1, 318, 1, 1, 12, 3, 5, 1, 1, 4],
        is_on: &[1],
        is_off: &[2],
    },
    Model {
        name: "apc-rpdu2",
        unit: &[],
        on: Order(APC_RPDU2, 1),
        off: Order(APC_RPDU2, 2),
        reset: Order(APC_RPDU2, 3),
        state: &[1, 3, 6, 1, 4, 1, 318, 1, 1, 26, 9, 2, 3, 1, 5],
        is_on: &[2],
        is_off: &[1],
    },
    Model {
        name: "cyberpower",
        unit: &[],
        on: Order(CYBERPOWER, 1),
        off: Order(CYBERPOWER, 2),
        reset: Order(CYBERPOWER, 3),
        state: &[1, 3, 6, 1, 4, 1, 3808, 1, 1, 3, 3, 5, 1, 1, 4],
        is_on: &[1],
        is_off: &[2],
    },
    Model {
        name: "eaton-epdu",
        unit: &[0],
        // The number is the delay, in seconds.
        on: Order(&[1, 3, 6, 1, 4, 1, 534, 6, 6, 7, 6, 6, 1, 4], 0),
        off: Order(&[1, 3, 6, 1, 4, 1, 534, 6, 6, 7, 6, 6, 1, 3], 0),
        reset: Order(&[1, 3, 6, 1, 4, 1, 534, 6, 6, 7, 6, 6, 1, 5], 0),
        state: &[1, 3, 6, 1, 4, 1, 534, 6, 6, 7, 6, 6, 1, 2],
        // 2 is about to be off, 3 is about to be on: they are still the other.
        is_on: &[1, 2],
        is_off: &[0, 3],
    },
    Model {
        name: "raritan-pdu2",
        unit: &[1],
        on: Order(RARITAN, 1),
        off: Order(RARITAN, 0),
        reset: Order(RARITAN, 2),
        state: &[1, 3, 6, 1, 4, 1, 13742, 6, 4, 1, 2, 1, 3],
        is_on: &[7],
        is_off: &[8],
    },
    Model {
        name: "servertech-sentry3",
        unit: &[1, 1],
        on: Order(SENTRY3, 1),
        off: Order(SENTRY3, 2),
        reset: Order(SENTRY3, 3),
        state: &[1, 3, 6, 1, 4, 1, 1718, 3, 2, 3, 1, 5],
        is_on: &[1],
        is_off: &[0],
    },
];

impl Model {
    /// What switches the outlet `index`: its number, or with the unit before it as the switch counts them.
    pub(crate) fn outlet(&self, index: &[u32]) -> Outlet {
        let unit = if index.len() == 1 { self.unit } else { &[] };
        let oid = |column: &[u32]| Oid::new([column, unit, index].concat());
        let order = |&Order(column, value): &Order| SetValue { oid: oid(column), value };
        Outlet {
            on: order(&self.on),
            off: order(&self.off),
            reset: Some(order(&self.reset)),
            state: OutletState { oid: oid(self.state), on: self.is_on.to_vec(), off: self.is_off.to_vec() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MODELS;

    #[test]
    fn an_outlet_has_its_number_alone_or_that_of_its_unit_before_it() {
        let model = |name| MODELS.iter().find(|model| model.name == name).unwrap();
        let on = |name, index: &[u32]| model(name).outlet(index).on.oid.to_string();
        assert_eq!(on("apc-rpdu", &[3]), "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.3");
        assert_eq!(on("raritan-pdu2", &[3]), "1.3.6.1.4.1.13742.6.4.1.2.1.2.1.3");
        assert_eq!(on("raritan-pdu2", &[2, 3]), "1.3.6.1.4.1.13742.6.4.1.2.1.2.2.3");
        assert_eq!(on("servertech-sentry3", &[3]), "1.3.6.1.4.1.1718.3.2.3.1.11.1.1.3");
        assert_eq!(
            model("eaton-epdu").outlet(&[5]).state.oid.to_string(),
            "1.3.6.1.4.1.534.6.6.7.6.6.1.2.0.5"
        );
    }

    #[test]
    fn no_value_of_a_model_is_both_on_and_off() {
        for model in &MODELS {
            assert!(model.is_on.iter().all(|value| !model.is_off.contains(value)), "{}", model.name);
        }
    }
}
