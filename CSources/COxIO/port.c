#include "oxcore/io.h"

void ox_port_status(const ox_port *port, ox_port_report *report) {
    memset(report, 0, sizeof *report);
    port->operations->status(port, report);
}

void ox_port_close(ox_port *port) {
    if (port != NULL) port->operations->close(port);
}
