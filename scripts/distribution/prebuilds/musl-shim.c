/*
 * What Debian's libstdc++, libgcc_s and FFTW expect of glibc and musl does not have. With these few
 * functions they serve a program for musl, for tests only. It is loaded under the name of glibc's loader,
 * which these libraries ask for.
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

/* 0: a thread may have been started, so that counters of references are atomic. */
char __libc_single_threaded = 0;

uint32_t arc4random(void) {
  uint32_t value = 0;
  if (getrandom(&value, sizeof(value), 0) != sizeof(value)) abort();
  return value;
}

int __fprintf_chk(FILE *file, int level, const char *format, ...) {
  (void)level;
  va_list arguments;
  va_start(arguments, format);
  const int n = vfprintf(file, format, arguments);
  va_end(arguments);
  return n;
}

size_t __strftime_l(char *text, size_t size, const char *format, const struct tm *time,
                    locale_t locale) {
  return strftime_l(text, size, format, time, locale);
}

/* Objects of a thread are not destroyed when it ends, which a test does not need. */
int __cxa_thread_atexit_impl(void (*destroy)(void *), void *object, void *library) {
  (void)destroy, (void)object, (void)library;
  return 0;
}

/* Of glibc's dlfcn.h, on x86-64. */
struct dl_find_object {
  unsigned long long flags;
  void *map_start, *map_end;
  struct link_map *link_map;
  void *eh_frame;
  unsigned long long reserved[7];
};

struct search {
  uintptr_t address;
  struct dl_find_object *result;
};

static int visit(struct dl_phdr_info *info, size_t size, void *data) {
  struct search *search = data;
  (void)size;
  int is_found = 0;
  search->result->eh_frame = NULL;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    const uintptr_t start = info->dlpi_addr + header->p_vaddr;
    if (header->p_type == PT_GNU_EH_FRAME) search->result->eh_frame = (void *)start;
    if (header->p_type != PT_LOAD) continue;
    if (search->address < start || search->address >= start + header->p_memsz) continue;
    search->result->map_start = (void *)start;
    search->result->map_end = (void *)(start + header->p_memsz);
    is_found = 1;
  }
  return is_found && search->result->eh_frame != NULL;
}

int _dl_find_object(void *address, struct dl_find_object *result) {
  struct search search = {(uintptr_t)address, result};
  return dl_iterate_phdr(visit, &search) ? 0 : -1;
}

/* libgcc's own, which it finds by a version that musl does not know. */
struct {
  unsigned vendor, type, subtype, features[1];
} __cpu_model;
int __cpu_indicator_init(void) { return 0; }
