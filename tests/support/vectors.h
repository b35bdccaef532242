#pragma once
// Test data from outside, which is not part of the project: where it is absent, tests say so by name.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/files.h"
#include "tests/support/places.h"

namespace tpf::test {

inline void skipped(const std::string& name) {
    std::printf("SKIPPED: %s: no outside data\n", name.c_str());
}

/// Rows of tab-separated columns, without comment lines; empty when the file is not there.
[[nodiscard]] inline std::vector<std::vector<std::string>> read_tsv(const std::string& name) {
    std::vector<std::vector<std::string>> rows;
    std::ifstream in(vectors() / name);
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line.front() == '#') continue;
        std::vector<std::string> row;
        std::istringstream columns(line);
        for (std::string column; std::getline(columns, column, '\t');) row.push_back(column);
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace tpf::test
