//! The processor time of a stop, with different numbers of running tasks.

use anyhow::Result;
use comfy_table::Table;

use crate::fleet::Fleet;
use crate::{Scale, cpu, ms, table};

pub(crate) fn measure(scale: Scale) -> Result<Table> {
    let bare = cpu::bare(&["sleep", "100000"], 200)?;
    let mut table = table(&["tasks", "processor time of a stop", "ratio to bare start and end"]);
    for tasks in scale.beside {
        let fleet = Fleet::start(*tasks)?;
        fleet.until_running()?;
        let stops = scale.stops.min(tasks / 2);
        // Wait until the start of the tasks has finished its remaining work.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let before = cpu::of_descendants()?;
        for n in 0..stops {
            fleet.stop(n)?;
        }
        let each = cpu::since(before)? / u32::try_from(stops)?;
        let ratio = each.as_secs_f64() / bare.as_secs_f64();
        table.add_row([tasks.to_string(), ms(each), format!("{ratio:.1}")]);
        fleet.end()?;
    }
    Ok(table)
}
