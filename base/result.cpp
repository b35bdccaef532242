#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace tpf {

std::string Error::text() const {
    std::string out(name());
    out += ": ";
    out += detail_.empty() ? std::string(info(code_).cause) : detail_;
    return out;
}

Error errno_error(int err, std::string what) {
    char buffer[128];
    const char* message = strerror_r(err, buffer, sizeof buffer);
    const Code code = (err == ENOSPC || err == EDQUOT) ? Code::disk_full : Code::io;
    return Error(code, std::move(what) + ": " + message);
}

}  // namespace tpf
