// The heap of a program that handles secrets: what is freed is wiped first, whoever freed it. A secret's own type wipes
// what it holds; this wipes the copies that strings, buffers and libraries make on the way, those in C (p11-kit's
// marshalling of a token's requests) as those in C++, whose operator delete ends in free(). Linked as an object into
// such a program (tpf_wiping_heap), where it stands in the place of the C library's (malloc(3), "Replacing malloc"):
// the blocks are its own, only the way back goes through here.

#include <malloc.h>
#include <string.h>

#include <cerrno>
#include <cstdlib>

extern "C" {

// glibc's, under the name that is not replaced.
void __libc_free(void* block) noexcept;  // NOLINT(bugprone-reserved-identifier): its name

void free(void* block) noexcept {
    if (block == nullptr) return;
    const int kept = errno;  // free leaves it alone
    ::explicit_bzero(block, ::malloc_usable_size(block));
    __libc_free(block);
    errno = kept;
}

/// Never moves a block without wiping where it was.
void* realloc(void* block, std::size_t size) noexcept {
    if (block == nullptr) return std::malloc(size);
    if (size == 0) {
        free(block);
        return nullptr;
    }
    const std::size_t room = ::malloc_usable_size(block);
    if (size <= room && size >= room / 2) return block;
    void* const moved = std::malloc(size);
    if (moved == nullptr) return nullptr;
    ::memcpy(moved, block, size < room ? size : room);
    free(block);
    return moved;
}
}
