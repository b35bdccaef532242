#include "daemon/ctl_status.h"

#include <iostream>

#include "daemon/ctl_print.h"

namespace tpf::daemon {

int show_status(Ctl& ctl) {
    const auto answer = ask(ctl, "status");
    if (!answer) {
        if (!ctl.json && answer.error().code() == Code::unavailable)
            std::cout << "CRITICAL\n  the core does not answer\n";
        static_cast<void>(show_error(ctl, answer.error()));
        return 2;
    }
    show(ctl, answer.value(), print_status);
    const std::string health = answer.value().result.value("health", "");
    return health == "ok" ? 0 : health == "warning" ? 1 : 2;
}

int show_metrics(Ctl& ctl) {
    const auto answer = ask(ctl, "metrics");
    if (!answer) return show_error(ctl, answer.error());
    // Whoever reads it reads it as it is: no line about a test installation, and JSON only where it is asked for.
    if (ctl.json) {
        show(ctl, answer.value(), print_plain);
    } else {
        std::cout << answer.value().result.value("text", "");
    }
    return 0;
}

}  // namespace tpf::daemon
