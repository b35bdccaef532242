#include "conf/problem.h"

namespace tpf::conf {

std::string Problem::text() const {
    std::string out = file;
    if (at.line != 0) out += ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
    out += ": ";
    if (!key.empty()) out += key + ": ";
    out += what;
    if (!right.empty()) out += "; " + right;
    return out;
}

std::string text(const Problems& problems) {
    std::string out;
    for (const Problem& problem : problems) out += problem.text() + "\n";
    return out;
}

Error as_error(const Problems& problems) {
    std::string detail = text(problems);
    if (!detail.empty()) detail.pop_back();
    return Error(Code::config, std::move(detail));
}

}  // namespace tpf::conf
