/* SPDX-License-Identifier: MIT */
#include "symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Our own image, mapped whole: dladdr does not know static functions. */
static const unsigned char *image(size_t *bytes)
{
    static const unsigned char *at;
    static size_t size;
    struct stat is;
    if (!at) {
        int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        void *p = MAP_FAILED;
        if (fd >= 0 && fstat(fd, &is) == 0)
            p = mmap(NULL, (size_t)is.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (fd >= 0)
            close(fd);
        if (p == MAP_FAILED)
            return NULL;
        at = p;
        size = (size_t)is.st_size;
    }
    *bytes = size;
    return at;
}

struct own {
    uint64_t base, end;
};

static int first_object(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct own *own = arg;
    (void)size;
    own->base = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uint64_t end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && end > own->end)
            own->end = end;
    }
    return 1; /* the program itself comes first */
}

static bool from_symtab(uint64_t address, char *text, size_t bytes)
{
    size_t size;
    const unsigned char *at = image(&size);
    struct own own = {0, 0};
    dl_iterate_phdr(first_object, &own);
    if (!at || address < own.base || address >= own.end)
        return false;
    const ElfW(Ehdr) *head = (const void *)at;
    const ElfW(Shdr) *sections = (const void *)(at + head->e_shoff);
    for (unsigned i = 0; i < head->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB)
            continue;
        const ElfW(Sym) *syms = (const void *)(at + sections[i].sh_offset);
        const char *names = (const char *)at + sections[sections[i].sh_link].sh_offset;
        for (size_t k = 0; k < sections[i].sh_size / sizeof(*syms); k++) {
            uint64_t off = address - own.base - syms[k].st_value;
            if (ELF64_ST_TYPE(syms[k].st_info) == STT_FUNC && off < syms[k].st_size) {
                snprintf(text, bytes, "%s+0x%llx", names + syms[k].st_name, (unsigned long long)off);
                return true;
            }
        }
    }
    return false;
}

void symbol_name(uint64_t address, char *text, size_t bytes)
{
    Dl_info info;
    if (from_symtab(address, text, bytes))
        return;
    if (dladdr((void *)(uintptr_t)address, &info) && info.dli_sname)
        snprintf(text, bytes, "%s+0x%llx", info.dli_sname,
                 (unsigned long long)(address - (uint64_t)(uintptr_t)info.dli_saddr));
    else
        snprintf(text, bytes, "%#llx", (unsigned long long)address);
}
