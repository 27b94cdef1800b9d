/* Small files, whole: read one, replace one. Symbolic links, devices and pipes
 * are refused, and nothing here waits for another process. */
#ifndef DQC_FILE_H
#define DQC_FILE_H

#include "core/buf.h"

#pragma GCC visibility push(hidden)

/* Appends the file's bytes. Only a regular file is read: no symbolic link, and
 * nothing that could wait. DQC_DONE; DQC_EVALUE, another kind of file;
 * DQC_ETOOBIG, more than max bytes; DQC_ENOMEM; DQC_EOS (ENOENT: there is no
 * file). What was appended before a failure stays. */
int dqc_file_read(const char *path, size_t max, struct dqc_buf *out);

/* Puts a new file of these bytes in the place of the one there is, if any: who
 * reads it sees the old one or the new one, also after a power failure. Its
 * mode is 0600. DQC_DONE; DQC_EVALUE, what is there is no regular file;
 * DQC_ENOMEM; DQC_EOS. After a failure the old one is there, unless it was the
 * last step that failed, which makes the new one outlast a power failure. The
 * memory is for the directory's name. */
int dqc_file_replace(const char *path, struct dqc_bytes bytes,
                     struct dqc_alloc alloc);

#pragma GCC visibility pop

#endif
