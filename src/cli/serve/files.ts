import type { LoadedConfig } from '../../config/index.ts';
import { certificateWarning, privateNamesWarning, readCertificate } from '../certificate.ts';
import { catalogVersion, loadCatalog } from '../load-catalog.ts';
import type { LoadedFiles } from './roles/role.ts';

/**
 * Reads the catalog and the certificate of a configuration.
 * @param seed name-hash seed of the catalog
 * @param before the files of the start, for a reload: listeners that need a certificate open at the start only
 * @throws CatalogError, BundleError, TlsCertificateError
 */
export async function loadFiles(
  loaded: LoadedConfig,
  seed: number,
  before: LoadedFiles | null,
): Promise<LoadedFiles> {
  const read = await loadCatalog(loaded, seed);
  const { tables: catalog, bundleVersion, warnings, notes } = read;
  const needsCertificate = before === null || before.certificate !== null;
  const certificate = needsCertificate ? readCertificate(loaded.config) : null;
  const expiry = certificate === null ? null : certificateWarning(certificate, Date.now());
  const { domain } = loaded.config.privateNames;
  const uncovered = certificate === null ? null : privateNamesWarning(certificate, domain);
  return {
    loaded,
    catalog,
    catalogVersion: catalogVersion(read),
    bundleVersion,
    certificate,
    notes,
    warnings: [...loaded.warnings, ...warnings, ...[expiry, uncovered].filter((one) => one !== null)],
  };
}
