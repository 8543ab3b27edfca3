//! Units that the running systemd knows, over D-Bus.

use indago_table::prelude::*;

use super::dbus::{Call, Connection, Refusal, Value};

/// Directory that exists if systemd is the init system.
const BOOTED: &str = "/run/systemd/system";
/// systemd's own socket. It works before the bus does, for root.
const PRIVATE: &str = "/run/systemd/private";
const SYSTEM_BUS: &str = "/run/dbus/system_bus_socket";

const SERVICE: &str = "org.freedesktop.systemd1";
const MANAGER_PATH: &str = "/org/freedesktop/systemd1";
const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// Interface of the properties that all units have.
pub(crate) const UNIT: &str = "org.freedesktop.systemd1.Unit";

/// Calls that are sent before the first of their results is read.
const TOGETHER: usize = 128;

/// A loaded unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) load_state: String,
    pub(crate) active_state: String,
    pub(crate) sub_state: String,
    pub(crate) following: String,
    pub(crate) object_path: String,
    pub(crate) job_id: i64,
    pub(crate) job_type: String,
    pub(crate) job_path: String,
}

/// A property of an object: the object's path, the interface, and the property's name.
pub(crate) type Property<'a> = (&'a str, &'a str, &'a str);

/// A connection to the running systemd.
#[derive(Debug)]
pub(crate) struct Manager(Connection);

impl Manager {
    pub(crate) fn connect(sys: &Sys) -> Result<Manager> {
        sys.require_live("the state of systemd's units")?;
        if !sys.exists(BOOTED) {
            return Err(sys.absent(format!("systemd does not run on this machine ({BOOTED} is missing)")));
        }
        let private = if sys.uid() == 0 { Connection::open(sys, PRIVATE, false) } else { Err(Error::denied(PRIVATE)) };
        let connection = match private {
            Err(Error::Cancelled) => Err(Error::Cancelled),
            Err(_) => Connection::open(sys, SYSTEM_BUS, true),
            private => private,
        };
        connection.map(Manager).map_err(|error| match error {
            Error::Gone(_) => Error::Unsupported(format!("systemd has no socket ({SYSTEM_BUS} is missing)")),
            other => other,
        })
    }

    /// All units that are loaded.
    pub(crate) fn units(&mut self) -> Result<Vec<Unit>> {
        let call =
            Call { destination: SERVICE, path: MANAGER_PATH, interface: MANAGER, member: "ListUnits", arguments: &[] };
        let serial = self.0.send(&call)?;
        let values = self.0.reply(serial)?.map_err(|refusal| refused(&refusal))?;
        let [Value::List(units)] = values.as_slice() else { return Err(not_units()) };
        units.iter().map(|unit| parse(unit).ok_or_else(not_units)).collect()
    }

    /// The values of properties, in the same order. A property that the object lacks is `None`.
    pub(crate) fn properties(&mut self, properties: &[Property<'_>]) -> Result<Vec<Result<Option<Value>>>> {
        let mut values = Vec::with_capacity(properties.len());
        for properties in properties.chunks(TOGETHER) {
            let mut serials = Vec::with_capacity(properties.len());
            for (path, interface, name) in properties {
                let arguments = &[*interface, *name];
                let call = Call { destination: SERVICE, path, interface: PROPERTIES, member: "Get", arguments };
                serials.push(self.0.send(&call)?);
            }
            for serial in serials {
                values.push(match self.0.reply(serial)? {
                    Ok(value) => Ok(value.into_iter().next()),
                    Err(Refusal(why)) if why.contains("UnknownProperty") || why.contains("UnknownInterface") => {
                        Ok(None)
                    }
                    Err(refusal) => Err(refused(&refusal)),
                });
            }
        }
        Ok(values)
    }
}

fn not_units() -> Error {
    Error::Malformed("systemd's list of units has an unknown form".to_owned())
}

fn refused(Refusal(why): &Refusal) -> Error {
    if why.contains("AccessDenied") {
        Error::denied(format!("systemd: {why}"))
    } else {
        Error::Unsupported(format!("systemd: {why}"))
    }
}

fn parse(unit: &Value) -> Option<Unit> {
    let fields = unit.list();
    let text = |position: usize| Some(fields.get(position)?.text()?.to_owned());
    Some(Unit {
        id: text(0)?,
        description: text(1)?,
        load_state: text(2)?,
        active_state: text(3)?,
        sub_state: text(4)?,
        following: text(5)?,
        object_path: text(6)?,
        job_id: i64::try_from(fields.get(7)?.number()?).ok()?,
        job_type: text(8)?,
        job_path: text(9)?,
    })
}

/// Sets properties of rows. `object` is a row's object and interface; a row without one is skipped.
pub(crate) fn load<R>(
    rows: &mut [Loading<'_, R>],
    sys: &Sys,
    names: &[&str],
    object: impl Fn(&R) -> Option<(String, &'static str)>,
    set: impl Fn(&mut R, usize, Value),
) -> Result<()> {
    let objects: Vec<_> = rows.iter().map(|row| object(row)).collect();
    let all = objects.iter().flatten();
    let properties: Vec<Property<'_>> =
        all.flat_map(|(path, interface)| names.iter().map(move |name| (path.as_str(), *interface, *name))).collect();
    if properties.is_empty() {
        return Ok(());
    }
    let mut values = Manager::connect(sys)?.properties(&properties)?.into_iter();
    for (row, _) in rows.iter_mut().zip(&objects).filter(|(_, object)| object.is_some()) {
        for position in 0..names.len() {
            match values.next() {
                Some(Ok(Some(value))) => set(row, position, value),
                Some(Err(error)) => row.fail(error),
                Some(Ok(None)) | None => {}
            }
        }
    }
    Ok(())
}

/// The interface of the properties that only a unit's type has.
pub(crate) fn interface_of(id: &str) -> Option<&'static str> {
    Some(match id.rsplit_once('.')?.1 {
        "service" => "org.freedesktop.systemd1.Service",
        "socket" => "org.freedesktop.systemd1.Socket",
        "mount" => "org.freedesktop.systemd1.Mount",
        "swap" => "org.freedesktop.systemd1.Swap",
        "timer" => "org.freedesktop.systemd1.Timer",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_units_with_another_form_is_not_read() {
        let text = |text: &str| Value::Text(text.to_owned());
        let mut fields: Vec<Value> = "a.service,A,loaded,active,running,,/unit/a".split(',').map(text).collect();
        fields.extend([Value::Number(5), text("start"), text("/job/5")]);
        let unit = parse(&Value::List(fields.clone())).expect("a unit");
        assert_eq!((unit.id.as_str(), unit.job_id, unit.job_path.as_str()), ("a.service", 5, "/job/5"));
        for position in 0..fields.len() {
            let mut changed = fields.clone();
            changed[position] = Value::List(Vec::new());
            assert_eq!(parse(&Value::List(changed)), None);
            assert_eq!(parse(&Value::List(fields[..position].to_vec())), None);
        }
    }
}
