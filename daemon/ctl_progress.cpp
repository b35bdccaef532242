#include "daemon/ctl_progress.h"

#include <unistd.h>

#include <cstdio>

namespace tpf::daemon {

ShowProgress progress_line() {
    if (::isatty(STDERR_FILENO) == 0) return {};
    return [](const Json& now) {
        const std::string of = now.value("of", 0U) == 0 ? "" : " of " + now["of"].dump();
        std::fprintf(stderr, "\r\x1b[K%s: %s%s", now.value("part", "").c_str(), now["done"].dump().c_str(), of.c_str());
    };
}

void end_progress_line() {
    if (::isatty(STDERR_FILENO) != 0) std::fputs("\r\x1b[K", stderr);
}

}  // namespace tpf::daemon
